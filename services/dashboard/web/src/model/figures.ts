/** The key figures: trend, distance to the limits, what the setpoint and its read-back say, the next release. */
import type { Alarm, Input, Limits, PlanStep, Point, Release, Resource, ScheduleHour, SetpointEntry, View } from "../api/types";
import { ms } from "./format";
import { forecastLine, type Pair } from "./series";

const HOUR_MS = 3600 * 1000;

/**
 * The slope over the last hour of known points [unit/h] by least squares; null where the newest is not known, and from fewer
 * than three points or 20 minutes.
 */
export function trendPerHour(points: readonly Point[]): number | null {
  const known = points.filter((p): p is Point & { value: number } => p.value !== null);
  const newest = known.at(-1);
  if (newest === undefined || newest !== points.at(-1)) return null;
  const end = ms(newest.at);
  const last = known.filter((p) => ms(p.at) >= end - HOUR_MS).map((p) => [(ms(p.at) - end) / HOUR_MS, p.value] as const);
  const first = last[0];
  if (first === undefined || last.length < 3 || -first[0] < 1 / 3) return null;
  const meanX = mean(last.map(([x]) => x));
  const meanY = mean(last.map(([, y]) => y));
  const spread = last.reduce((sum, [x]) => sum + (x - meanX) ** 2, 0);
  return last.reduce((sum, [x, y]) => sum + (x - meanX) * (y - meanY), 0) / spread;
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

export type Standing = "within" | "near" | "outside";

export interface Margin {
  readonly toMaximum: number;
  readonly toMinimum: number;
  readonly standing: Standing;
}

/** How far the elevation is within its limits; near is the last tenth of the range. */
export function margin(elevation: number, limits: Limits): Margin {
  const toMaximum = limits.maximum_elevation - elevation;
  const toMinimum = elevation - limits.minimum_elevation;
  const least = Math.min(toMaximum, toMinimum);
  const range = limits.maximum_elevation - limits.minimum_elevation;
  const standing = least < 0 ? "outside" : least < range / 10 ? "near" : "within";
  return { toMaximum, toMinimum, standing };
}

/** An input by its series, or undefined. */
export function inputOf(view: View, series: string): Input | undefined {
  return view.inputs?.find((input) => input.series === series);
}

/** Whether a value may be relied on now. */
export function isStale(input: Input, plantMs: number): boolean {
  return plantMs > ms(input.stale_at);
}

export type Agreement = "not known" | "link lost" | "nothing written" | "differs" | "verified";

/** Half a count of the register, and a little for binary fractions. */
const SAME_MW = 0.0051;

/** What the register says of the setpoint: verified means that the PLC holds what the gateway wrote. */
export function agreement(resource: Resource, written: number | null): Agreement {
  if (!resource.link_up) return "link lost";
  if (resource.read_back === null) return "not known";
  if (written === null) return "nothing written";
  return Math.abs(written - resource.read_back) <= SAME_MW ? "verified" : "differs";
}

/** The setpoint in force: what the gateway writes now, else what it last wrote; null when it never wrote. */
export function writtenSetpoint(resource: Resource, journal: readonly SetpointEntry[] | null): number | null {
  if (resource.setpoint !== null) return resource.setpoint;
  const written = (e: SetpointEntry) =>
    e.quantity === "setpoint" && (e.outcome === "verified" || e.outcome === "read_back_differs");
  const last = (journal ?? []).filter((e) => e.resource === resource.resource && written(e)).at(-1);
  return last?.enforced ?? null;
}

/** The release that is on or comes next. */
export function nextRelease(releases: readonly Release[], plantMs: number): Release | null {
  return releases.find((release) => ms(release.end) > plantMs) ?? null;
}

/** The plan in force: of those that hold now the one of the highest priority, then the newest. */
export function planNow(plan: readonly PlanStep[], plantMs: number): PlanStep | null {
  const holding = plan.filter((step) => ms(step.start) <= plantMs && plantMs < ms(step.end));
  holding.sort((a, b) => b.priority - a.priority || b.plan_id - a.plan_id);
  return holding[0] ?? null;
}

/** The forecast elevation at an instant, between what was measured as the run began and the ends of its hours; else null. */
export function forecastAt(hours: readonly ScheduleHour[], measured: readonly Point[], plantMs: number): number | null {
  return between(forecastLine(hours, measured), plantMs);
}

/** A line's value at an instant, between its points; null outside and beside a break. */
export function between(pairs: readonly Pair[], plantMs: number): number | null {
  for (let i = 1; i < pairs.length; i++) {
    const [start, low] = pairs[i - 1] as Pair;
    const [end, high] = pairs[i] as Pair;
    if (start <= plantMs && plantMs <= end && low !== null && high !== null) {
      return low + ((high - low) * (plantMs - start)) / (end - start);
    }
  }
  return null;
}

const STATES = ["active_unacknowledged", "active_acknowledged", "returned_unacknowledged"];
const SEVERITIES = ["critical", "warning", "information"];

/** The alarms that a person must see: unacknowledged first, then by severity, then the newest. */
export function raisedAlarms(alarms: readonly Alarm[]): Alarm[] {
  const order = (a: Alarm) => STATES.indexOf(a.state) * 10 + SEVERITIES.indexOf(a.severity);
  return alarms
    .filter((a) => STATES.includes(a.state))
    .sort((a, b) => order(a) - order(b) || ms(b.since) - ms(a.since));
}

/** Whether an alarm waits for a person. */
export function needsAcknowledgement(alarm: Alarm): boolean {
  return alarm.state === "active_unacknowledged" || alarm.state === "returned_unacknowledged";
}
