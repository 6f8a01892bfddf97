/** The drawings of a station as ECharts options; pure. */
import type { EChartsCoreOption } from "echarts/core";

import type { StationView } from "../api/types";
import { digitsOf, number } from "../model/format";
import { axisRange, line, type Pair } from "../model/series";
import type { Colours } from "../parts/chart";
import { base, mark, marks, series, within, yAxis, type Frame, type Stroke } from "../parts/chart-frame";
import { pricesKnownUntil } from "./figures";
import { guessedPrices, inflowBand, inflowForecast, knownPrices, levelForecast, plannedOutflow } from "./series";

/** The tunnel's level: measured, forecast, and its limits from emptied to full. */
export function levelOption(view: StationView, frame: Frame, colours: Colours): EChartsCoreOption {
  const { limits, units } = view;
  const unit = units.elevation;
  const strokes: Stroke[] = [
    { name: "Forecast", unit, data: levelForecast(view.schedule?.steps ?? [], view.level ?? []), colour: colours.forecast, type: "dashed" },
    { name: "Measured", unit, data: line(view.level ?? []), colour: colours.measured, width: 2.5 },
  ];
  const top = Math.ceil((limits.maximum_level + 0.5) / 2) * 2;
  const lines = [
    mark(limits.maximum_level, `Maximum ${number(limits.maximum_level, 1)}`, "dashed", colours.limit, "insideStartTop"),
    mark(limits.alarm_level, `Alarm ${number(limits.alarm_level, 1)}`, "dotted", colours.limit, "insideStartBottom"),
    mark(limits.emptied_level, `Emptied ${number(limits.emptied_level, 1)}`, "dotted", colours.limit, "insideStartTop"),
  ];
  const areas = [[{ yAxis: limits.maximum_level, itemStyle: { color: colours.limitArea } }, { yAxis: top }]];
  return {
    ...base(view.time_zone, frame, colours, strokes),
    yAxis: { ...yAxis(colours, unit, 0), min: 0, max: top, interval: 2 },
    series: [...strokes.map((stroke) => series(stroke, frame)), marks(frame, colours, lines, areas)],
  };
}

/** Water out and in: planned and measured outflow with its limit, measured inflow, its forecast and the forecast's band. */
export function flowOption(view: StationView, frame: Frame, colours: Colours, unitPrinted: string): EChartsCoreOption {
  const { limits, units, schedule } = view;
  const unit = units.flow;
  const steps = schedule?.steps ?? [];
  const strokes: Stroke[] = [
    { name: "Planned outflow", unit, data: plannedOutflow(steps), colour: colours.plan, width: 1, area: 0.16 },
    { name: "Measured outflow", unit, data: line(view.outflow ?? []), colour: colours.measured, width: 2.5 },
    { name: "Forecast inflow", unit, data: inflowForecast(steps), colour: colours.inflow, type: "dashed" },
    { name: "Measured inflow", unit, data: line(view.inflow ?? []), colour: colours.inflow, type: "dotted", width: 2.2 },
  ];
  const band = inflowBand(steps);
  const seen = [...strokes.flatMap((stroke) => within(stroke.data, frame)), ...within(band, frame), limits.maximum_outflow];
  const [, high] = axisRange(seen, 200, 2000);
  const lines = [mark(limits.maximum_outflow, `Maximum ${number(limits.maximum_outflow, 0)}`, "dashed", colours.limit, "insideStartTop")];
  const areas = [[{ yAxis: limits.maximum_outflow, itemStyle: { color: colours.limitArea } }, { yAxis: high }]];
  return {
    ...base(view.time_zone, frame, colours, strokes),
    yAxis: { ...yAxis(colours, unitPrinted, digitsOf(unit)), min: 0, max: high },
    series: [bandSeries(band, colours), ...strokes.map((stroke) => series(stroke, frame)), marks(frame, colours, lines, areas)],
  };
}

interface Brush {
  coord(at: readonly [number, number]): [number, number];
}

/** A band between two lines: one polygon. */
function bandSeries(band: readonly (readonly [number, number])[], colours: Colours): object {
  return {
    id: "band",
    type: "custom",
    silent: true,
    clip: true,
    data: band.length === 0 ? [] : [band[0]],
    renderItem: (_: unknown, brush: Brush) => ({
      type: "polygon",
      shape: { points: band.map((at) => brush.coord(at)) },
      style: { fill: colours.inflowArea },
    }),
  };
}

/** The price: published, and what the schedule took where nobody has published one. */
export function priceOption(view: StationView, frame: Frame, colours: Colours): EChartsCoreOption {
  const unit = view.units.price;
  const strokes: Stroke[] = [
    { name: "Published", unit, data: knownPrices(view.prices ?? []), colour: colours.measured, width: 2, area: 0.1 },
    { name: "Guess of the run", unit, data: guessedPrices(view.schedule?.steps ?? []), colour: colours.forecast, type: "dashed" },
  ];
  const unknown = notPublished(view, frame);
  const areas =
    unknown === null
      ? []
      : [
          [
            { xAxis: unknown[0], itemStyle: { color: colours.limitArea }, name: "not published", label: { color: colours.muted, fontSize: 11, position: "insideTop" } },
            { xAxis: unknown[1] },
          ],
        ];
  return {
    ...base(view.time_zone, frame, colours, strokes),
    yAxis: yAxis(colours, "", 0),
    series: [...strokes.map((stroke) => series(stroke, frame)), marks(frame, colours, [], areas)],
  };
}

/** The part of the frame ahead without a published price, or null. */
export function notPublished(view: StationView, frame: Frame): Pair | null {
  const from = pricesKnownUntil(view.prices ?? [], frame.nowMs) ?? frame.nowMs;
  return from < frame.endMs ? [from, frame.endMs] : null;
}
