import { describe, expect, it } from "vitest";

import { notPublished } from "../src/station/chart-options";
import { askedInVain, lastEmptied, levelStanding, nextEmptied, powerNow, priceNow, pricesKnownUntil, pumpNow, stepNow } from "../src/station/figures";
import { guessedPrices, inflowBand, inflowForecast, knownPrices, levelForecast, plannedOutflow, pumpsOn } from "../src/station/series";
import { inWords, strip } from "../src/station/strip";
import { at, input, NOW, resource, span, stationView, step } from "./sample";

const minute = (minutes: number) => NOW + minutes * 60_000;
const price = (from: number, value: number | null, length = 60) => ({ start: at(from), end: at(from + length), price: value });
const { limits, pumps } = stationView();
const [first, second] = pumps as [(typeof pumps)[number], (typeof pumps)[number]];

describe("level", () => {
  it.each([
    [0.5, "emptied"],
    [0.51, "within"],
    [6.48, "within"],
    [6.49, "near"],
    [7.2, "near"],
    [7.21, "alarm"],
    [8, "alarm"],
    [8.01, "over"],
  ])("%d m is %s", (level, standing) => expect(levelStanding(level, limits)).toBe(standing));
  it("is forecast from what was measured as the run began to the end of each step", () => {
    const steps = [step(0, { level: 2 }), step(15, { level: 3 })];
    expect(levelForecast(steps, [{ at: at(1), value: 1.5 }])).toEqual([[minute(0), 1.5], [minute(15), 2], [minute(30), 3]]);
    expect(levelForecast(steps, [])).toEqual([[minute(15), 2], [minute(30), 3]]);
  });
});

describe("pumps now", () => {
  const control = (...resources: ReturnType<typeof resource>[]) => ({ at: at(0), mode: "auto" as const, e_stop: false, e_stop_by: null, resources });
  it("run by the PLC's feedback", () => {
    const view = stationView({ control: control(resource({ resource: "P1_1", actual: 49.2 }), resource({ resource: "P1_2", actual: 0 })) });
    expect(pumpNow(view, first, NOW)).toMatchObject({ running: true, hz: 49.2 });
    expect(pumpNow(view, second, NOW)).toMatchObject({ running: false, hz: 0 });
  });
  it("stand by the PLC's feedback even where a frequency is left", () => {
    const view = stationView({ control: control(resource({ resource: "P1_1", actual: 3, running: false })) });
    expect(pumpNow(view, first, NOW)).toMatchObject({ running: false, hz: 3 });
  });
  it("run by what is measured where the PLC does not answer, while that is fresh", () => {
    const view = stationView({
      control: control(resource({ resource: "P1_1", actual: 49.2, link_up: false })),
      inputs: [input("p1_1_frequency_hz", 48.5, 0)],
    });
    expect(pumpNow(view, first, NOW)).toMatchObject({ running: true, hz: 48.5 });
    expect(pumpNow(view, first, minute(31))).toMatchObject({ running: null, hz: null });
  });
  it("are not known without either, never standing", () => {
    expect(pumpNow(stationView(), first, NOW)).toMatchObject({ running: null, hz: null });
    expect(pumpNow(stationView({ inputs: [input("p1_1_frequency_hz", null, 0)] }), first, NOW).running).toBeNull();
  });
  it("do not what the plan asks while a rest or a run is not over, or a person leads", () => {
    const asked = (requested: number | null, running: boolean | null) =>
      askedInVain({ pump: first, resource: resource({ requested }), running, hz: null, power: undefined });
    expect(asked(50, false)).toBe(50);
    expect(asked(0, true)).toBe(0);
    expect([asked(50, true), asked(0, false), asked(null, true), asked(50, null)]).toEqual([null, null, null, null]);
  });
  it("take the sum of their powers, and nobody knows it while one is not known", () => {
    const view = stationView({ inputs: [input("p1_1_power_mw", 200, 0), input("p1_2_power_mw", 0, 0)] });
    const both = view.pumps.map((pump) => pumpNow(view, pump, NOW));
    expect(powerNow(both, NOW)).toBe(200);
    const one = stationView({ inputs: [input("p1_1_power_mw", 200, 0)] });
    expect(powerNow(one.pumps.map((pump) => pumpNow(one, pump, NOW)), NOW)).toBeNull();
  });
});

describe("schedule and plan", () => {
  it("hold over half-open intervals", () => {
    const steps = [step(0), step(15, { outflow: 1 })];
    expect(stepNow(steps, minute(15))?.outflow).toBe(1);
    expect(stepNow(steps, minute(30))).toBeNull();
  });
  it("count the pumps that are on", () => expect(pumpsOn(step(0))).toBe(1));
  it("draw the outflow as steps, the inflow at the middle of each, and its band around it", () => {
    const steps = [step(0), step(15, { outflow: 6000 })];
    expect(plannedOutflow(steps)).toEqual([[minute(0), 5000], [minute(15), 5000], [minute(15), 6000], [minute(30), 6000]]);
    expect(inflowForecast(steps)[0]).toEqual([minute(7.5), 4000]);
    expect(inflowBand(steps)).toEqual([[minute(7.5), 3800], [minute(22.5), 3800], [minute(22.5), 4400], [minute(7.5), 4400]]);
  });
});

describe("emptying", () => {
  it("is next as the schedule has it", () => {
    expect(nextEmptied([at(-60), at(90), at(1500)], NOW)).toBe(at(90));
    expect(nextEmptied([at(-60)], NOW)).toBeNull();
  });
  it("was last when the level was measured at the limit", () => {
    const measured = [{ at: at(-300), value: 0.5 }, { at: at(-200), value: 0.51 }, { at: at(-100), value: null }];
    expect(lastEmptied(measured, limits)).toBe(at(-300));
    expect(lastEmptied([{ at: at(0), value: null }], limits)).toBeNull();
  });
});

describe("prices", () => {
  it("hold now, or are not known", () => {
    expect(priceNow([price(-30, -4), price(30, 9)], NOW)).toBe(-4);
    expect(priceNow([price(30, 9)], NOW)).toBeNull();
    expect(priceNow([price(-30, null)], NOW)).toBeNull();
  });
  it("are known up to the first hole, and not at all without the price of now", () => {
    expect(pricesKnownUntil([price(30, 1), price(-30, 1), price(150, 1)], NOW)).toBe(minute(90));
    expect(pricesKnownUntil([price(-30, 1), price(30, null)], NOW)).toBe(minute(30));
    expect(pricesKnownUntil([price(30, 1)], NOW)).toBeNull();
    expect(pricesKnownUntil([], NOW)).toBeNull();
  });
  it("are not published from their end to the end of the frame, or from now where none is known", () => {
    const frame = { startMs: minute(-60), endMs: minute(120), nowMs: NOW, narrow: false };
    expect(notPublished(stationView({ prices: [price(-30, 1)] }), frame)).toEqual([minute(30), minute(120)]);
    expect(notPublished(stationView({ prices: [price(-30, 1, 300)] }), frame)).toBeNull();
    expect(notPublished(stationView({ prices: null }), frame)).toEqual([NOW, minute(120)]);
  });
  it("are drawn apart from what the run guessed", () => {
    expect(knownPrices([price(60, 2), price(0, 1)])).toEqual([[minute(0), 1], [minute(60), 1], [minute(60), 2], [minute(120), 2]]);
    expect(guessedPrices([step(0), step(15, { price: 7, price_known: false })])).toEqual([[minute(15), 7], [minute(30), 7]]);
  });
});

describe("strip", () => {
  const frame = (plan: Parameters<typeof strip>[0]) => strip(plan, "P1_1", NOW, minute(240), limits);
  it("fills the frame; where no plan says anything it is unknown, never off", () => {
    const pieces = frame([span(-60, 60, 0), span(120, 180, 50), span(0, 240, 48, { resource: "P1_2" })]);
    expect(pieces.map((p) => [p.from, p.to, p.kind])).toEqual([
      [0, 0.25, "off"],
      [0.25, 0.5, "unknown"],
      [0.5, 0.75, "on"],
      [0.75, 1, "unknown"],
    ]);
    expect(frame([]).map((p) => p.kind)).toEqual(["unknown"]);
  });
  it("is as high as the speed within its range", () => {
    const speeds = frame([span(0, 60, 47.8), span(60, 120, 48.9), span(120, 180, 50), span(180, 240, 60)]).map((p) => p.speed);
    expect(speeds.map((speed) => Number(speed.toFixed(3)))).toEqual([0, 0.5, 1, 1]);
  });
  it("takes a plan without a speed as unknown", () => expect(frame([span(0, 240, null)]).map((p) => p.kind)).toEqual(["unknown"]));
  it("speaks in local time", () => {
    const [on, off] = frame([span(0, 60, 49.25), span(60, 240, 0)]);
    expect(on && inWords(on, "Europe/Helsinki")).toBe("49.25 Hz 14:00 to 15:00");
    expect(off && inWords(off, "Europe/Helsinki")).toBe("off 15:00 to 18:00");
  });
});
