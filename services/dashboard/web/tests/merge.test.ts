import { describe, expect, it } from "vitest";

import type { Control, Input, News, View } from "../src/api/types";
import { merged as mergedView } from "../src/model/merge";
import { alarm, at, entry, input, stationView, view } from "./sample";

/** The same kind of view comes out. */
const merged = <V extends View>(before: V, news: News) => mergedView(before, news) as V;
const inputs = <V extends View>(before: V, ...fresh: Input[]) => merged(before, { kind: "inputs", inputs: fresh });
const control = (minutes: number): Control => ({ at: at(minutes), mode: "auto", e_stop: false, e_stop_by: null, resources: [] });

describe("inputs", () => {
  it("takes a newer value and draws it", () => {
    const after = inputs(view({ inputs: [input("elevation_m", 1170, 0)], elevation: [{ at: at(0), value: 1170 }] }), input("elevation_m", 1170.1, 5));
    expect(after.inputs?.[0]?.value).toBe(1170.1);
    expect(after.elevation).toEqual([{ at: at(0), value: 1170 }, { at: at(5), value: 1170.1 }]);
  });
  it("does not go back to an older value, but keeps its point in its place", () => {
    const before = view({ inputs: [input("elevation_m", 1170, 10)], elevation: [{ at: at(10), value: 1170 }] });
    const after = inputs(before, input("elevation_m", 1169, 5));
    expect(after.inputs?.[0]?.value).toBe(1170);
    expect(after.elevation?.map((p) => p.value)).toEqual([1169, 1170]);
  });
  it("shows a missing value as null and remembers the last good one", () => {
    const missing = inputs(view({ inputs: [input("elevation_m", 1170, 0)] }), input("elevation_m", null, 5));
    expect(missing.inputs?.[0]).toMatchObject({ value: null, quality: "MISSING", last_good: { at: at(0), value: 1170 } });
    const still = inputs(missing, input("elevation_m", null, 10));
    expect(still.inputs?.[0]?.last_good).toEqual({ at: at(0), value: 1170 });
    const back = inputs(still, input("elevation_m", 1171, 15));
    expect(back.inputs?.[0]).toMatchObject({ value: 1171, last_good: null });
  });
  it("corrects a value of the same instant, and a mean does not replace an instant", () => {
    const before = view({ inputs: [input("r4_flow_m3s", 5, 0)] });
    expect(inputs(before, input("r4_flow_m3s", 6, 0)).inputs?.[0]?.value).toBe(6);
    expect(inputs(before, input("r4_flow_m3s", 6, 0, { basis: "hour_mean" })).inputs?.[0]?.value).toBe(5);
  });
  it("draws a correction over its point, no second one", () => {
    const before = view({ elevation: [{ at: at(0), value: 1170 }] });
    expect(inputs(before, input("elevation_m", 1169, 0)).elevation).toEqual([{ at: at(0), value: 1169 }]);
  });
  it("forgets points of more than 25 hours ago", () => {
    const before = view({ elevation: [{ at: at(-26 * 60), value: 1 }, { at: at(-60), value: 2 }] });
    expect(inputs(before, input("elevation_m", 3, 0)).elevation?.map((p) => p.value)).toEqual([2, 3]);
  });
  it("moves the maximum with the float tag and keeps the buffer", () => {
    const after = inputs(view(), input("float_elevation_m", 1171, 0));
    expect(after.limits).toMatchObject({ float_elevation: 1171, maximum_elevation: 1170.5, float_source: "pi" });
    expect(inputs(after, input("float_elevation_m", null, 5)).limits.float_elevation).toBe(1171);
  });
  it("makes the inputs known again where they were not", () => {
    const before = view({ inputs: null, not_known: [{ part: "newest inputs", service: "ingest", reason: "away" }] });
    const after = inputs(before, input("elevation_m", 1170, 0));
    expect(after.inputs).toHaveLength(1);
    expect(after.not_known).toEqual([]);
  });
  it("draws nothing where the past is not known", () => {
    expect(inputs(view({ elevation: null }), input("elevation_m", 1170, 0)).elevation).toBeNull();
  });
});

describe("inputs of a station", () => {
  it("draws level, outflow and inflow", () => {
    const after = inputs(stationView(), input("tunnel_level_m", 2, 0), input("station_outflow_m3s", 5000, 0), input("tunnel_inflow_m3s", 4000, 0));
    expect([after.level, after.outflow, after.inflow]).toEqual([2, 5000, 4000].map((value) => [{ at: at(0), value }]));
  });
  it("draws no mean over instants", () => {
    const after = inputs(stationView({ outflow: [{ at: at(0), value: 1 }] }), input("station_outflow_m3s", 9, 5, { basis: "15min_mean" }));
    expect(after.outflow).toEqual([{ at: at(0), value: 1 }]);
  });
});

describe("control, setpoints, alarms", () => {
  it("takes newer states of the gateway only", () => {
    const before = view({ control: control(5) });
    expect(merged(before, { kind: "control", control: control(0) })).toBe(before);
    expect(merged(before, { kind: "control", control: { ...control(6), e_stop: true } }).control?.e_stop).toBe(true);
  });
  it("adds a setpoint once, in its place", () => {
    const before = view({ setpoints: [entry("a", 0, 1), entry("c", 10, 3)] });
    const once = merged(before, { kind: "setpoint", setpoint: entry("b", 5, 2) });
    const twice = merged(once, { kind: "setpoint", setpoint: entry("b", 5, 2) });
    expect(twice.setpoints?.map((e) => e.setpoint_id)).toEqual(["a", "b", "c"]);
  });
  it("replaces an alarm by its newer state and ignores an older one", () => {
    const before = view({ alarms: [alarm("low", "active_unacknowledged", { since: at(5) })] });
    const acknowledged = alarm("low", "active_acknowledged", { since: at(6), acknowledged_by: "otto" });
    expect(merged(before, { kind: "alarm", alarm: acknowledged }).alarms).toEqual([acknowledged]);
    expect(merged(before, { kind: "alarm", alarm: alarm("low", "normal", { since: at(4) }) }).alarms).toEqual(before.alarms);
  });
  it("does not make up a list of alarms from one where the others are not known", () => {
    expect(merged(view({ alarms: null }), { kind: "alarm", alarm: alarm("low", "normal") }).alarms).toBeNull();
  });
  it("leaves the view alone for the clock, runs and changes", () => {
    const before = view();
    expect(merged(before, { kind: "clock", now: at(0), clock_speed: 1, bus_connected: true })).toBe(before);
    expect(merged(before, { kind: "changed", part: "plan", at: at(0) })).toBe(before);
  });
});
