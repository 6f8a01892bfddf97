/** A station's key figures: where the level stands, which pumps run, the price now, when the tunnel is emptied; pure. */
import type { Input, Point, PriceStep, Pump, Resource, StationLimits, StationStep, StationView } from "../api/types";
import { inputOf, isStale } from "../model/figures";
import { ms } from "../model/format";

export type LevelStanding = "emptied" | "within" | "near" | "alarm" | "over";

/** Where the level stands; near is the last tenth below the alarm level. */
export function levelStanding(level: number, limits: StationLimits): LevelStanding {
  if (level > limits.maximum_level) return "over";
  if (level > limits.alarm_level) return "alarm";
  if (level > limits.alarm_level * 0.9) return "near";
  return level <= limits.emptied_level ? "emptied" : "within";
}

/** The step of the schedule that holds now, or null. */
export function stepNow(steps: readonly StationStep[], plantMs: number): StationStep | null {
  return steps.find((step) => ms(step.start) <= plantMs && plantMs < ms(step.end)) ?? null;
}

export interface PumpNow {
  readonly pump: Pump;
  /** What the gateway knows of it; undefined where the gateway is away. */
  readonly resource: Resource | undefined;
  /** Whether it turns, and how fast [Hz]; null where nobody knows. */
  readonly running: boolean | null;
  readonly hz: number | null;
  readonly power: Input | undefined;
}

/** How a pump stands: by the PLC's feedback, else by what is measured and fresh. */
export function pumpNow(view: StationView, pump: Pump, plantMs: number): PumpNow {
  const resource = view.control?.resources.find((r) => r.resource === pump.resource);
  const series = (quantity: string) => inputOf(view, `${pump.resource.toLowerCase()}_${quantity}`);
  const read = resource?.link_up ? resource : undefined;
  const hz = read?.actual ?? fresh(series("frequency_hz"), plantMs);
  return { pump, resource, running: read?.running ?? (hz === null ? null : hz > 0), hz, power: series("power_mw") };
}

/** What the plan asks of a pump [Hz, 0: stand] where that is not what it does; null where it is, or where one of both is not known. */
export function askedInVain({ resource, running }: PumpNow): number | null {
  const asked = resource?.requested ?? null;
  return asked === null || running === null || asked > 0 === running ? null : asked;
}

function fresh(input: Input | undefined, plantMs: number): number | null {
  return input === undefined || isStale(input, plantMs) ? null : input.value;
}

/** The sum of what all pumps take; null while one of them is not known. */
export function powerNow(pumps: readonly PumpNow[], plantMs: number): number | null {
  const each = pumps.map((p) => fresh(p.power, plantMs));
  return each.some((power) => power === null) ? null : each.reduce<number>((sum, power) => sum + (power ?? 0), 0);
}

/** The price that holds now; null where it is not known. */
export function priceNow(prices: readonly PriceStep[], plantMs: number): number | null {
  return prices.find((p) => ms(p.start) <= plantMs && plantMs < ms(p.end))?.price ?? null;
}

/** Up to when prices are known without a hole from now on [ms]; null where the price of now is not known. */
export function pricesKnownUntil(prices: readonly PriceStep[], plantMs: number): number | null {
  const known = prices.filter((p) => p.price !== null && ms(p.end) > plantMs).sort((a, b) => ms(a.start) - ms(b.start));
  let until = plantMs;
  for (const step of known) {
    if (ms(step.start) > until) break;
    until = Math.max(until, ms(step.end));
  }
  return until > plantMs ? until : null;
}

/** When the schedule empties the tunnel next, or null. */
export function nextEmptied(emptied: readonly string[], plantMs: number): string | null {
  return emptied.find((at) => ms(at) >= plantMs) ?? null;
}

/** When the tunnel was last measured as emptied, or null where it was not in what is shown. */
export function lastEmptied(level: readonly Point[], limits: StationLimits): string | null {
  return level.findLast((point) => point.value !== null && point.value <= limits.emptied_level)?.at ?? null;
}
