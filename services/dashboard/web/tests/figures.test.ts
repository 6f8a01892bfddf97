import { describe, expect, it } from "vitest";

import {
  agreement,
  forecastAt,
  isStale,
  margin,
  nextRelease,
  planNow,
  raisedAlarms,
  trendPerHour,
  writtenSetpoint,
} from "../src/model/figures";
import { alarm, at, entry, hour, input, NOW, plan, resource, view } from "./sample";

const points = (...pairs: [number, number | null][]) => pairs.map(([minutes, value]) => ({ at: at(minutes), value }));

describe("trend", () => {
  it("is the slope of the last hour", () => {
    expect(trendPerHour(points([-120, 5], [-60, 1], [-40, 1.2], [-20, 1.4], [0, 1.6]))).toBeCloseTo(0.6);
  });
  it("passes over missing values", () => {
    expect(trendPerHour(points([-60, 1], [-30, null], [-20, 1.4], [0, 1.6]))).toBeCloseTo(0.6);
  });
  it("is not known while the newest value is not", () => {
    expect(trendPerHour(points([-60, 1], [-40, 1.2], [-20, 1.4], [0, null]))).toBeNull();
  });
  it("is not known from too little", () => {
    expect(trendPerHour([])).toBeNull();
    expect(trendPerHour(points([-10, 1], [-5, 2], [0, 3]))).toBeNull();
    expect(trendPerHour(points([-60, 1], [0, 3]))).toBeNull();
    expect(trendPerHour(points([-60, null], [0, null]))).toBeNull();
  });
});

describe("distance to the limits", () => {
  const { limits } = view();
  it.each([
    [1170, "within"],
    [1168.4, "near"],
    [1172.2, "near"],
    [1168, "near"],
    [1167.99, "outside"],
    [1172.51, "outside"],
  ])("%d ft is %s", (elevation, standing) => expect(margin(elevation, limits).standing).toBe(standing));
  it("measures to both", () => expect(margin(1170, limits)).toMatchObject({ toMaximum: 2.5, toMinimum: 2 }));
});

describe("what may be relied on", () => {
  it("grows stale the moment after its time", () => {
    const value = input("elevation_m", 1170, 0);
    expect(isStale(value, NOW + 30 * 60_000)).toBe(false);
    expect(isStale(value, NOW + 30 * 60_000 + 1)).toBe(true);
  });
});

describe("setpoint and read-back", () => {
  it("takes the setpoint being written, else the last one written, else none", () => {
    expect(writtenSetpoint(resource({ setpoint: 3 }), [entry("a", 0, 2)])).toBe(3);
    const journal = [entry("a", 0, 2), entry("b", 5, null, { outcome: "refused" }), entry("c", 6, 9, { outcome: "intended" })];
    expect(writtenSetpoint(resource(), journal)).toBe(2);
    expect(writtenSetpoint(resource(), null)).toBeNull();
    expect(writtenSetpoint(resource(), [entry("x", 0, 4, { resource: "OTHER" })])).toBeNull();
    expect(writtenSetpoint(resource(), [entry("s", 0, 4), entry("r", 1, 1, { quantity: "run", unit: "on" })])).toBe(4);
  });
  it.each([
    [2, resource({ read_back: 2 }), "verified"],
    [2, resource({ read_back: 2.005 }), "verified"],
    [2, resource({ read_back: 2.01 }), "differs"],
    [2, resource({ read_back: null }), "not known"],
    [null, resource({ read_back: 2 }), "nothing written"],
    [2, resource({ read_back: 2, link_up: false }), "link lost"],
  ] as const)("setpoint %s: %#", (written, state, said) => expect(agreement(state, written)).toBe(said));
});

describe("plans, releases, forecast", () => {
  it("leads by priority, then by the newest version", () => {
    const steps = [plan(1, 0, 60, 2), plan(2, 0, 60, 3, { priority: 50 }), plan(3, 0, 60, 4), plan(4, 60, 120, 5)];
    expect(planNow(steps, NOW)?.target).toBe(3);
    expect(planNow([plan(1, 0, 60, 2), plan(3, 0, 60, 4)], NOW)?.target).toBe(4);
    expect(planNow(steps, NOW + 120 * 60_000)).toBeNull();
  });
  it("shows a release until its end", () => {
    const release = { start: at(-60), end: at(60), ramp_at: at(-180) };
    expect(nextRelease([release], NOW)).toBe(release);
    expect(nextRelease([release], NOW + 60 * 60_000)).toBeNull();
  });
  it("is between the ends of hours, and nothing outside", () => {
    const hours = [hour(0, 1170), hour(60, 1171)];
    expect(forecastAt(hours, [], NOW + 90 * 60_000)).toBeCloseTo(1170.5);
    expect(forecastAt(hours, [], NOW + 30 * 60_000)).toBeNull();
    expect(forecastAt(hours, [{ at: at(0), value: 1169 }], NOW + 30 * 60_000)).toBeCloseTo(1169.5);
    expect(forecastAt(hours, [], NOW + 121 * 60_000)).toBeNull();
  });
});

describe("alarms", () => {
  it("shows the raised ones: unacknowledged first, then the graver, then the newer", () => {
    const alarms = [
      alarm("normal", "normal"),
      alarm("shelved", "shelved"),
      alarm("returned", "returned_unacknowledged", { severity: "critical" }),
      alarm("known", "active_acknowledged", { severity: "critical" }),
      alarm("older", "active_unacknowledged", { since: at(-5) }),
      alarm("newer", "active_unacknowledged"),
      alarm("grave", "active_unacknowledged", { severity: "critical", since: at(-90) }),
    ];
    expect(raisedAlarms(alarms).map((a) => a.alarm)).toEqual(["grave", "newer", "older", "known", "returned"]);
  });
});
