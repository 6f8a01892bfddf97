/** What the charts draw, from the view; pure. Gaps are drawn as gaps: a null breaks the line. */
import type { AfterbayView, PlanStep, Point, ScheduleHour, SetpointEntry } from "../api/types";
import { ms } from "./format";

export type Pair = [number, number | null];
const HOUR_MS = 3600 * 1000;

/** Points as pairs; a hole of more than `gapMs` between known values becomes a break. */
export function line(points: readonly Point[], gapMs = 2 * HOUR_MS): Pair[] {
  const pairs: Pair[] = [];
  for (const point of points) {
    const at = ms(point.at);
    const before = pairs.at(-1);
    if (before !== undefined && at - before[0] > gapMs) pairs.push([before[0] + 1, null]);
    pairs.push([at, point.value]);
  }
  return pairs;
}

interface Interval {
  readonly start: number;
  readonly end: number;
  readonly value: number | null;
}

/** Intervals as a step line: each value holds to the end of its interval, and where none follows the line breaks. */
export function steps(intervals: readonly Interval[]): Pair[] {
  const pairs: Pair[] = [];
  for (const { start, end, value } of intervals) {
    const last = pairs.at(-1);
    if (last !== undefined && last[0] < start) pairs.push([last[0] + 1, null]);
    pairs.push([start, value], [end, value]);
  }
  return pairs;
}

export function scheduleSteps(hours: readonly ScheduleHour[]): Pair[] {
  return steps(hours.map((h) => ({ start: ms(h.start), end: ms(h.end), value: h.setpoint })));
}

/** The plan in force over time: where plans overlap, the highest priority leads, then the newest. */
export function planSteps(plan: readonly PlanStep[], resource: string): Pair[] {
  const own = plan.filter((p) => p.resource === resource && p.status === "ACTIVE");
  const edges = [...new Set(own.flatMap((p) => [ms(p.start), ms(p.end)]))].sort((a, b) => a - b);
  const pieces: Interval[] = [];
  for (let i = 0; i + 1 < edges.length; i++) {
    const [start, end] = [edges[i] as number, edges[i + 1] as number];
    const leading = own
      .filter((p) => ms(p.start) <= start && end <= ms(p.end))
      .sort((a, b) => b.priority - a.priority || b.plan_id - a.plan_id)[0];
    if (leading !== undefined) pieces.push({ start, end, value: leading.target });
  }
  return steps(pieces);
}

/** The forecast elevation: from what was measured as the run began, through the end of each hour. */
export function forecastLine(hours: readonly ScheduleHour[], measured: readonly Point[]): Pair[] {
  return fromMeasured(hours[0]?.start, hours.map((h) => [ms(h.end), h.elevation]), measured);
}

/** A forecast's line, begun at what was measured nearest to its start, where that is known. */
export function fromMeasured(first: string | undefined, ends: readonly Pair[], measured: readonly Point[]): Pair[] {
  if (first === undefined) return [];
  const start = ms(first);
  const nearest = measured
    .filter((p) => p.value !== null && Math.abs(ms(p.at) - start) <= HOUR_MS / 4)
    .sort((a, b) => Math.abs(ms(a.at) - start) - Math.abs(ms(b.at) - start))[0];
  return nearest === undefined ? [...ends] : [[start, nearest.value], ...ends];
}

const WRITTEN = new Set(["verified", "read_back_differs"]);

/** Values of the journal over time, held until the next entry and up to `nowMs`: what was enforced, or read back. */
export function journalSteps(
  entries: readonly SetpointEntry[],
  resource: string,
  of: "enforced" | "read_back",
  nowMs: number,
): Pair[] {
  const own = entries.filter((e) => e.resource === resource && e.quantity === "setpoint" && WRITTEN.has(e.outcome) && e[of] !== null);
  return steps(
    own.map((e, i) => ({ start: ms(e.at), end: Math.max(ms(e.at), ms(own[i + 1]?.at ?? nowMs)), value: e[of] })),
  );
}

export function awardSteps(awards: AfterbayView["awards"]): Pair[] {
  return steps((awards ?? []).map((a) => ({ start: ms(a.start), end: ms(a.end), value: a.power })));
}

/** The range of an axis: what must be seen, with a margin, on whole halves of a unit. */
export function axisRange(values: readonly (number | null)[], least: number, step: number): [number, number] {
  const known = values.filter((v): v is number => v !== null && Number.isFinite(v));
  if (known.length === 0) return [0, 1];
  const low = Math.min(...known);
  const high = Math.max(...known);
  const pad = Math.max((high - low) * 0.06, least);
  return [Math.floor((low - pad) / step) * step, Math.ceil((high + pad) / step) * step];
}

/** The newest value at or before an instant, for a read-out. */
export function valueAt(pairs: readonly Pair[], at: number): number | null {
  let found: number | null = null;
  for (const [x, y] of pairs) {
    if (x > at) break;
    found = y;
  }
  return found;
}
