import { describe, expect, it } from "vitest";

import { axisRange, forecastLine, journalSteps, line, planSteps, scheduleSteps, steps, valueAt } from "../src/model/series";
import { at, entry, hour, NOW, plan } from "./sample";

const minute = (minutes: number) => NOW + minutes * 60_000;

describe("lines", () => {
  it("breaks at a missing value and at a hole", () => {
    expect(line([{ at: at(0), value: 1 }, { at: at(5), value: null }, { at: at(10), value: 2 }])).toEqual([
      [minute(0), 1],
      [minute(5), null],
      [minute(10), 2],
    ]);
    expect(line([{ at: at(0), value: 1 }, { at: at(121), value: 2 }])).toEqual([
      [minute(0), 1],
      [minute(0) + 1, null],
      [minute(121), 2],
    ]);
  });
  it("begins the forecast at what was measured then, where that is known", () => {
    const hours = [hour(0, 1170.5), hour(60, 1171)];
    expect(forecastLine(hours, [{ at: at(3), value: 1170 }])[0]).toEqual([minute(0), 1170]);
    expect(forecastLine(hours, [{ at: at(40), value: 1170 }])[0]).toEqual([minute(60), 1170.5]);
    expect(forecastLine([], [{ at: at(0), value: 1170 }])).toEqual([]);
  });
});

describe("steps", () => {
  it("holds a value to the end of its interval and breaks where none follows", () => {
    const pairs = steps([
      { start: 0, end: 10, value: 1 },
      { start: 10, end: 20, value: 2 },
      { start: 30, end: 40, value: 3 },
    ]);
    expect(pairs).toEqual([[0, 1], [10, 1], [10, 2], [20, 2], [21, null], [30, 3], [40, 3]]);
    expect(valueAt(pairs, 15)).toBe(2);
    expect(valueAt(pairs, 25)).toBeNull();
    expect(valueAt(pairs, -1)).toBeNull();
  });
  it("is the schedule hour by hour", () => {
    expect(scheduleSteps([hour(0, 1170, 2)])).toEqual([[minute(0), 2], [minute(60), 2]]);
  });
  it("shows the plan that leads, for each piece of time", () => {
    const pairs = planSteps([plan(1, 0, 120, 2), plan(2, 60, 90, 5, { priority: 50 }), plan(3, 0, 120, 9, { status: "SUPERSEDED" })], "OXPH");
    expect(valueAt(pairs, minute(30))).toBe(2);
    expect(valueAt(pairs, minute(75))).toBe(5);
    expect(valueAt(pairs, minute(100))).toBe(2);
  });
  it("holds a written setpoint until the next one and up to now; what was refused is not drawn", () => {
    const journal = [entry("a", -30, 2), entry("r", -20, 9, { outcome: "refused" }), entry("b", -10, 3)];
    const pairs = journalSteps(journal, "OXPH", "enforced", NOW);
    expect(pairs[0]).toEqual([minute(-30), 2]);
    expect(valueAt(pairs, minute(-15))).toBe(2);
    expect(pairs.at(-1)).toEqual([NOW, 3]);
  });
});

describe("axis", () => {
  it("shows all with a margin, on whole steps", () => expect(axisRange([1168, null, 1173], 0.3, 0.5)).toEqual([1167.5, 1173.5]));
  it("is something where nothing is known", () => expect(axisRange([null], 1, 1)).toEqual([0, 1]));
});
