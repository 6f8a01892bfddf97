/** What live news does to the view; pure. News that is older than what is shown changes nothing. */
import type { AfterbayView, Alarm, Input, News, Point, SetpointEntry, View } from "../api/types";
import { ms } from "./format";

const KEPT_MS = 25 * 3600 * 1000;
const KEPT_SETPOINTS = 1000;

/** The view with the news in it. Run progress, the clock and "changed" are for others and change nothing here. */
export function merged(view: View, news: News): View {
  switch (news.kind) {
    case "inputs":
      return withInputs(view, news.inputs);
    case "control":
      return view.control !== null && ms(view.control.at) > ms(news.control.at)
        ? view
        : { ...view, control: news.control, not_known: without(view, "gateway state") };
    case "setpoint":
      return { ...view, setpoints: withSetpoint(view.setpoints ?? [], news.setpoint) };
    case "alarm":
      return view.alarms === null ? view : { ...view, alarms: withAlarm(view.alarms, news.alarm) };
    case "clock":
    case "run":
    case "changed":
      return view;
  }
}

function without(view: View, part: string): View["not_known"] {
  return view.not_known.filter((entry) => entry.part !== part);
}

function withInputs(view: View, fresh: readonly Input[]): View {
  const known = new Map((view.inputs ?? []).map((input) => [input.series, input]));
  for (const input of fresh) {
    const before = known.get(input.series);
    if (before === undefined || isNewer(input, before)) {
      known.set(input.series, { ...input, last_good: lastGood(input, before) });
    }
  }
  const inputs = [...known.values()].sort((a, b) => (a.series < b.series ? -1 : 1));
  const common = { inputs, not_known: without(view, "newest inputs") };
  const drawn = (points: Point[] | null, series: string) => withPoints(points, fresh, series);
  switch (view.model) {
    case "afterbay":
      return {
        ...view,
        ...common,
        elevation: drawn(view.elevation, "elevation_m"),
        power: drawn(view.power, "oxph_power_mw"),
        limits: withFloat(view, fresh),
      };
    case "pumping_station":
      return {
        ...view,
        ...common,
        level: drawn(view.level, "tunnel_level_m"),
        outflow: drawn(view.outflow, "station_outflow_m3s"),
        inflow: drawn(view.inflow, "tunnel_inflow_m3s"),
      };
  }
}

function isNewer(input: Input, before: Input): boolean {
  const [a, b] = [ms(input.valid_at), ms(before.valid_at)];
  return a > b || (a === b && input.basis === before.basis);
}

/** Where the newest value is not known, the last one that was. */
function lastGood(input: Input, before: Input | undefined): Point | null {
  if (input.value !== null) return null;
  if (before === undefined) return input.last_good ?? null;
  return before.value !== null ? { at: before.valid_at, value: before.value } : (before.last_good ?? null);
}

function withPoints(points: Point[] | null, fresh: readonly Input[], series: string): Point[] | null {
  const added = fresh.filter((i) => i.series === series && i.basis === "instant");
  if (points === null || added.length === 0) return points;
  const byTime = new Map(points.map((point) => [ms(point.at), point]));
  for (const input of added) byTime.set(ms(input.valid_at), { at: input.valid_at, value: input.value });
  const sorted = [...byTime.entries()].sort(([a], [b]) => a - b);
  const newest = sorted.at(-1)?.[0] ?? 0;
  return sorted.filter(([at]) => at >= newest - KEPT_MS).map(([, point]) => point);
}

/** The operator's float tag moves the maximum with it; the buffer between them stays. */
function withFloat(view: AfterbayView, fresh: readonly Input[]): AfterbayView["limits"] {
  const tag = fresh.filter((i) => i.series === "float_elevation_m" && i.value !== null).at(-1);
  if (tag?.value === null || tag?.value === undefined) return view.limits;
  const buffer = view.limits.float_elevation - view.limits.maximum_elevation;
  return {
    ...view.limits,
    float_elevation: tag.value,
    maximum_elevation: Math.round((tag.value - buffer) * 1e4) / 1e4,
    float_source: "pi",
  };
}

function withSetpoint(entries: readonly SetpointEntry[], entry: SetpointEntry): SetpointEntry[] {
  if (entries.some((e) => e.setpoint_id === entry.setpoint_id && e.outcome === entry.outcome)) return [...entries];
  return [...entries, entry].sort((a, b) => ms(a.at) - ms(b.at)).slice(-KEPT_SETPOINTS);
}

function withAlarm(alarms: readonly Alarm[], alarm: Alarm): Alarm[] {
  const before = alarms.find((a) => a.alarm === alarm.alarm);
  if (before !== undefined && ms(before.since) > ms(alarm.since)) return [...alarms];
  return before === undefined ? [...alarms, alarm] : alarms.map((a) => (a.alarm === alarm.alarm ? alarm : a));
}
