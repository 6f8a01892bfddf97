/** What a station's charts draw, from the view; pure. What is not known is a gap, and a guess is told from a published price. */
import type { Point, PriceStep, StationStep } from "../api/types";
import { ms } from "../model/format";
import { fromMeasured, steps, type Pair } from "../model/series";

/** The forecast level: from what was measured as the run began, through the end of each step. */
export function levelForecast(schedule: readonly StationStep[], measured: readonly Point[]): Pair[] {
  return fromMeasured(schedule[0]?.start, schedule.map((s) => [ms(s.end), s.level]), measured);
}

export function plannedOutflow(schedule: readonly StationStep[]): Pair[] {
  return steps(schedule.map((s) => ({ start: ms(s.start), end: ms(s.end), value: s.outflow })));
}

const middle = (step: StationStep) => (ms(step.start) + ms(step.end)) / 2;

/** The forecast inflow, the mean of each step at its middle. */
export function inflowForecast(schedule: readonly StationStep[]): Pair[] {
  return schedule.map((s) => [middle(s), s.inflow]);
}

/** The outline of the forecast's band: along its lower edge, and back along the upper one. */
export function inflowBand(schedule: readonly StationStep[]): [number, number][] {
  const low = schedule.map((s): [number, number] => [middle(s), s.inflow_low]);
  const high = schedule.map((s): [number, number] => [middle(s), s.inflow_high]);
  return [...low, ...high.reverse()];
}

export function knownPrices(prices: readonly PriceStep[]): Pair[] {
  const sorted = [...prices].sort((a, b) => ms(a.start) - ms(b.start));
  return steps(sorted.map((p) => ({ start: ms(p.start), end: ms(p.end), value: p.price })));
}

/** What the schedule took for prices that nobody has published. */
export function guessedPrices(schedule: readonly StationStep[]): Pair[] {
  const guessed = schedule.filter((s) => !s.price_known);
  return steps(guessed.map((s) => ({ start: ms(s.start), end: ms(s.end), value: s.price })));
}

/** How many pumps a step runs. */
export function pumpsOn(step: StationStep): number {
  return Object.values(step.frequency).filter((hz) => hz > 0).length;
}
