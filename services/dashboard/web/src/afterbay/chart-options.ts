/** The two drawings as ECharts options; pure. Every line has its own stroke as well as its own colour. */
import type { EChartsCoreOption } from "echarts/core";

import type { View } from "../api/types";
import { clockTime, day, digitsOf, isMidnight, localTicks, ms, number, unitText, when } from "../model/format";
import { awardSteps, axisRange, forecastLine, journalSteps, line, planSteps, scheduleSteps, valueAt, type Pair } from "../model/series";
import type { Colours } from "./chart";

const HOUR_MS = 3600 * 1000;

export interface Frame {
  readonly startMs: number;
  readonly endMs: number;
  readonly nowMs: number;
  readonly narrow: boolean;
}

interface Stroke {
  readonly name: string;
  readonly unit: string;
  readonly data: Pair[];
  readonly colour: string;
  readonly type?: "solid" | "dashed" | "dotted";
  readonly width?: number;
  readonly opacity?: number;
  readonly area?: number;
  readonly yAxis?: number;
}

function within(pairs: readonly Pair[], frame: Frame): (number | null)[] {
  return pairs.filter(([at]) => at >= frame.startMs && at <= frame.endMs).map(([, value]) => value);
}

/** Elevation: measured, forecast, limits; the market's award behind them on an axis of its own. */
export function elevationOption(view: View, frame: Frame, colours: Colours): EChartsCoreOption {
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
    ...base(view, frame, colours, strokes),
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
    series: [...strokes.map((stroke) => series(stroke, view, frame)), marks(frame, colours, lines, areas)],
  };
}

/** The unit: schedule, plan in force, setpoint written, read-back, measured; with the rafting releases behind them. */
export function powerOption(view: View, frame: Frame, colours: Colours): EChartsCoreOption {
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
    ...base(view, frame, colours, strokes),
    yAxis: { ...yAxis(colours, units.power, 0), min: 0, max: Math.ceil(limits.maximum_power + 0.7) },
    series: [...strokes.map((stroke) => series(stroke, view, frame)), marks(frame, colours, lines, areas)],
  };
}

function base(view: View, frame: Frame, colours: Colours, strokes: readonly Stroke[]): object {
  const zone = view.time_zone;
  const hours = (frame.endMs - frame.startMs) / HOUR_MS;
  const every = hours <= 60 ? (frame.narrow ? 12 : 6) : frame.narrow ? 24 : 12;
  const ticks = localTicks(frame.startMs, frame.endMs, zone, every);
  const reduced = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
  return {
    animation: !reduced,
    animationDuration: 0,
    animationDurationUpdate: reduced ? 0 : 200,
    grid: { left: 54, right: frame.narrow ? 14 : 48, top: 26, bottom: 26 },
    textStyle: { fontFamily: "inherit" },
    xAxis: {
      type: "value",
      min: frame.startMs,
      max: frame.endMs,
      axisLine: { lineStyle: { color: colours.rule }, onZero: false },
      axisTick: { customValues: ticks, lineStyle: { color: colours.rule } },
      axisLabel: {
        customValues: ticks,
        color: colours.muted,
        hideOverlap: true,
        formatter: (at: number) => (isMidnight(at, zone) ? day(at, zone) : hours > 60 ? "" : clockTime(at, zone)),
      },
      splitLine: { show: false },
      axisPointer: { label: { formatter: ({ value }: { value: number }) => when(value, zone, frame.nowMs) } },
    },
    tooltip: {
      trigger: "axis",
      confine: true,
      backgroundColor: colours.panel,
      borderColor: colours.rule,
      textStyle: { color: colours.text, fontSize: 12 },
      axisPointer: { type: "line", snap: false, lineStyle: { color: colours.muted } },
      formatter: (items: readonly { axisValue: number | string }[]) => tooltip(Number(items[0]?.axisValue), strokes, view, frame),
    },
  };
}

/** What every line says at an instant; a line that says nothing is left out. */
function tooltip(at: number, strokes: readonly Stroke[], view: View, frame: Frame): string {
  const rows = strokes.flatMap(({ name, unit, data }) => {
    const last = data.at(-1)?.[0] ?? -Infinity;
    const value = at > last ? null : valueAt(data, at);
    return value === null ? [] : [`<tr><td>${name}</td><td>${number(value, digitsOf(unit))} ${unitText(unit)}</td></tr>`];
  });
  return `<b>${when(at, view.time_zone, frame.nowMs)}</b><table class="tip">${rows.join("")}</table>`;
}

function yAxis(colours: Colours, name: string, digits: number): object {
  return {
    type: "value",
    name,
    nameTextStyle: { color: colours.muted, align: "right", padding: [0, 6, 0, 0] },
    axisLabel: { color: colours.muted, formatter: (value: number) => number(value, digits) },
    splitLine: { lineStyle: { color: colours.rule } },
  };
}

function series(stroke: Stroke, _view: View, frame: Frame): object {
  return {
    id: stroke.name,
    name: stroke.name,
    type: "line",
    yAxisIndex: stroke.yAxis ?? 0,
    data: stroke.data.filter(([at]) => at >= frame.startMs - HOUR_MS && at <= frame.endMs + HOUR_MS),
    showSymbol: false,
    connectNulls: false,
    clip: true,
    lineStyle: { color: stroke.colour, width: stroke.width ?? 1.8, type: stroke.type ?? "solid", opacity: stroke.opacity ?? 1 },
    itemStyle: { color: stroke.colour },
    ...(stroke.area === undefined ? {} : { areaStyle: { color: stroke.colour, opacity: stroke.area } }),
    emphasis: { disabled: true },
    silent: true,
  };
}

function mark(at: number, text: string, type: "dashed" | "dotted", colour: string, position: string): object {
  return { yAxis: at, lineStyle: { color: colour, type, width: 1 }, label: { formatter: text, color: colour, position, fontSize: 11 } };
}

/** Limits, areas and the line of now, on a series of their own without data. */
function marks(frame: Frame, colours: Colours, lines: readonly object[], areas: readonly object[]): object {
  const now = {
    xAxis: frame.nowMs,
    lineStyle: { color: colours.now, type: "solid", width: 1 },
    label: { formatter: "now", color: colours.now, position: "end", fontSize: 11, distance: 4 },
  };
  return {
    id: "marks",
    type: "line",
    data: [],
    silent: true,
    markLine: { symbol: "none", silent: true, animation: false, data: [...lines, now] },
    markArea: { silent: true, animation: false, data: areas },
  };
}
