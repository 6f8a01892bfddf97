/** What all drawings over time share, as parts of ECharts options; pure. Every line has its own stroke as well as its own colour. */
import { clockTime, day, digitsOf, isMidnight, localTicks, number, unitText, when } from "../model/format";
import { valueAt, type Pair } from "../model/series";
import type { Colours } from "./chart";

const HOUR_MS = 3600 * 1000;

export interface Frame {
  readonly startMs: number;
  readonly endMs: number;
  readonly nowMs: number;
  readonly narrow: boolean;
}

export interface Stroke {
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

export function within(pairs: readonly Pair[], frame: Frame): (number | null)[] {
  return pairs.filter(([at]) => at >= frame.startMs && at <= frame.endMs).map(([, value]) => value);
}

export function base(zone: string, frame: Frame, colours: Colours, strokes: readonly Stroke[]): object {
  const hours = (frame.endMs - frame.startMs) / HOUR_MS;
  const every = hours <= 60 ? (frame.narrow ? 12 : 6) : frame.narrow ? 24 : 12;
  const room = frame.narrow ? 0.04 * (frame.endMs - frame.startMs) : 0;
  const ticks = localTicks(frame.startMs, frame.endMs - room, zone, every);
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
      formatter: (items: readonly { axisValue: number | string }[]) => tooltip(Number(items[0]?.axisValue), strokes, zone, frame),
    },
  };
}

/** What every line says at an instant; a line that says nothing is left out. */
function tooltip(at: number, strokes: readonly Stroke[], zone: string, frame: Frame): string {
  const rows = strokes.flatMap(({ name, unit, data }) => {
    const last = data.at(-1)?.[0] ?? -Infinity;
    const value = at > last ? null : valueAt(data, at);
    return value === null ? [] : [`<tr><td>${name}</td><td>${number(value, digitsOf(unit))} ${unitText(unit)}</td></tr>`];
  });
  return `<b>${when(at, zone, frame.nowMs)}</b><table class="tip">${rows.join("")}</table>`;
}

export function yAxis(colours: Colours, name: string, digits: number): object {
  return {
    type: "value",
    name,
    nameTextStyle: { color: colours.muted, align: "right", padding: [0, 6, 0, 0] },
    axisLabel: { color: colours.muted, formatter: (value: number) => number(value, digits) },
    splitLine: { lineStyle: { color: colours.rule } },
  };
}

export function series(stroke: Stroke, frame: Frame): object {
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

export function mark(at: number, text: string, type: "dashed" | "dotted", colour: string, position: string): object {
  return { yAxis: at, lineStyle: { color: colour, type, width: 1 }, label: { formatter: text, color: colour, position, fontSize: 11 } };
}

/** Limits, areas and the line of now, on a series of their own without data. */
export function marks(frame: Frame, colours: Colours, lines: readonly object[], areas: readonly object[]): object {
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
