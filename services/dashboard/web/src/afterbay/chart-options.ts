/** The two drawings of an afterbay as ECharts options; pure. */
import type { EChartsCoreOption } from "echarts/core";

import type { AfterbayView } from "../api/types";
import { digitsOf, ms, number } from "../model/format";
import { awardSteps, axisRange, forecastLine, journalSteps, line, planSteps, scheduleSteps } from "../model/series";
import type { Colours } from "../parts/chart";
import { base, mark, marks, series, within, yAxis, type Frame, type Stroke } from "../parts/chart-frame";

/** Elevation: measured, forecast, limits; the market's award behind them on an axis of its own. */
export function elevationOption(view: AfterbayView, frame: Frame, colours: Colours): EChartsCoreOption {
  const { limits, units } = view;
  const measured = line(view.elevation ?? []);
  const forecast = forecastLine(view.schedule?.hours ?? [], view.elevation ?? []);
  const award = awardSteps(view.awards);
  const seen = [...within(measured, frame), ...within(forecast, frame)];
  const [low, high] = axisRange([...seen, limits.minimum_elevation, limits.float_elevation], 0.3, 0.5);
  const awardTop = Math.ceil(Math.max(50, ...within(award, frame).map((value) => value ?? 0)) / 25) * 40;
  const strokes: Stroke[] = [
    { name: "MFRA award", unit: units.power, data: award, colour: colours.award, width: 1, area: 0.14, yAxis: 1 },
    { name: "Forecast", unit: units.elevation, data: forecast, colour: colours.forecast, type: "dashed" },
    { name: "Measured", unit: units.elevation, data: measured, colour: colours.measured, width: 2.5 },
  ];
  const lines = [
    mark(limits.maximum_elevation, `Maximum ${number(limits.maximum_elevation, 2)}`, "dashed", colours.limit, "insideStartBottom"),
    mark(limits.minimum_elevation, `Minimum ${number(limits.minimum_elevation, 2)}`, "dashed", colours.limit, "insideStartTop"),
    mark(limits.float_elevation, `Float ${number(limits.float_elevation, 2)}`, "dotted", colours.limit, "insideStartTop"),
  ];
  const areas = [
    [{ yAxis: limits.maximum_elevation, itemStyle: { color: colours.limitArea } }, { yAxis: high }],
    [{ yAxis: low, itemStyle: { color: colours.limitArea } }, { yAxis: limits.minimum_elevation }],
  ];
  return {
    ...base(view.time_zone, frame, colours, strokes),
    yAxis: [
      { ...yAxis(colours, units.elevation, digitsOf(units.elevation) - 1), min: low, max: high },
      {
        ...yAxis(colours, `${units.power}`, 0),
        nameTextStyle: { color: colours.muted, align: "left", padding: [0, 0, 0, 6] },
        show: !frame.narrow,
        min: 0,
        max: awardTop,
        interval: awardTop / 4,
        splitLine: { show: false },
      },
    ],
    series: [...strokes.map((stroke) => series(stroke, frame)), marks(frame, colours, lines, areas)],
  };
}

/** The unit: schedule, plan in force, setpoint written, read-back, measured; with the rafting releases behind them. */
export function powerOption(view: AfterbayView, frame: Frame, colours: Colours): EChartsCoreOption {
  const { limits, units } = view;
  const resource = view.control?.resources[0]?.resource ?? "OXPH";
  const entries = view.setpoints ?? [];
  const strokes: Stroke[] = [
    { name: "Plan", unit: units.power, data: planSteps(view.plan ?? [], resource), colour: colours.plan, width: 1, area: 0.16 },
    { name: "Schedule", unit: units.power, data: scheduleSteps(view.schedule?.hours ?? []), colour: colours.forecast, type: "dashed" },
    { name: "Measured", unit: units.power, data: line(view.power ?? []), colour: colours.measured, width: 4, opacity: 0.75 },
    { name: "Setpoint", unit: units.power, data: journalSteps(entries, resource, "enforced", frame.nowMs), colour: colours.now, type: "solid", width: 1.5 },
    { name: "Read-back", unit: units.power, data: journalSteps(entries, resource, "read_back", frame.nowMs), colour: colours.text, type: "dotted", width: 2 },
  ];
  const lines = [
    mark(limits.maximum_power, `Maximum ${number(limits.maximum_power, 1)}`, "dashed", colours.limit, "insideStartTop"),
    mark(limits.minimum_power, `Minimum ${number(limits.minimum_power, 1)}`, "dashed", colours.limit, "insideStartBottom"),
  ];
  const areas = view.releases.map((release) => [
    { xAxis: ms(release.start), itemStyle: { color: colours.release }, name: "Rafting", label: { color: colours.muted, fontSize: 11, position: "insideTop" } },
    { xAxis: ms(release.end) },
  ]);
  return {
    ...base(view.time_zone, frame, colours, strokes),
    yAxis: { ...yAxis(colours, units.power, 0), min: 0, max: Math.ceil(limits.maximum_power + 0.7) },
    series: [...strokes.map((stroke) => series(stroke, frame)), marks(frame, colours, lines, areas)],
  };
}
