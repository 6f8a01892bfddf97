import { describe, expect, it } from "vitest";

import { age, day, duration, isMidnight, localTicks, number, quantity, signed, when, zoneName } from "../src/model/format";

const ZONE = "America/Los_Angeles";
const HOUR = 3_600_000;

describe("numbers", () => {
  it.each([null, undefined, NaN, Infinity])("reads %s as not known, never as 0", (value) => {
    expect(quantity(value, "ft")).toBe("not known");
  });
  it("keeps a true zero", () => expect(quantity(0, "MW")).toBe("0.00 MW"));
  it("prints elevations without a comma and larger numbers with one", () => {
    expect(number(1170.2449, 2)).toBe("1170.24");
    expect(number(12345, 0)).toBe("12,345");
  });
  it("has a true minus and no negative zero", () => {
    expect(number(-1.5, 1)).toBe("−1.5");
    expect(number(-0.001, 2)).toBe("0.00");
    expect(signed(-0.001, 2)).toBe("0.00");
    expect(signed(0.05, 2)).toBe("+0.05");
  });
  it("prints units as people write them", () => expect(quantity(3, "acre_ft", 0)).toBe("3 acre-ft"));
});

describe("durations and ages", () => {
  it.each([
    [0, "0 s"],
    [59, "59 s"],
    [60, "1 min"],
    [3599, "59 min"],
    [3600, "1 h"],
    [3660, "1 h 1 min"],
    [86399, "23 h 59 min"],
    [86400, "1 d"],
    [180000, "2 d 2 h"],
  ])("%d s is %s", (seconds, text) => expect(duration(seconds)).toBe(text));
  it("says how old, how far ahead, or that it does not know", () => {
    const now = Date.parse("2026-02-17T12:00:00Z");
    expect(age("2026-02-17T11:56:00Z", now)).toBe("4 min ago");
    expect(age("2026-02-17T13:00:00Z", now)).toBe("in 1 h");
    expect(age(null, now)).toBe("not known");
  });
});

describe("local time", () => {
  it("names the day, the hour and the zone of the plant, wherever the reader is", () => {
    const winter = Date.parse("2026-02-18T07:30:00Z");
    expect(day(winter, ZONE)).toBe("Tue 17 Feb");
    expect(when(winter, ZONE, winter)).toBe("Tue 23:30");
    expect(zoneName(winter, ZONE)).toBe("PST");
    expect(zoneName(winter, "Europe/Helsinki")).toBe("EET");
    expect(zoneName(winter, "UTC")).toBe("UTC");
    expect(zoneName(Date.parse("2026-07-18T07:30:00Z"), ZONE)).toBe("PDT");
  });
  it.each([
    ["spring, a day of 23 hours", "2026-03-08T08:00:00Z", 23],
    ["autumn, a day of 25 hours", "2026-11-01T07:00:00Z", 25],
    ["winter, a day of 24 hours", "2026-02-17T08:00:00Z", 24],
  ])("puts ticks on local midnights in %s", (_name, start, hours) => {
    const from = Date.parse(start);
    expect(localTicks(from, from + 25 * HOUR, ZONE, 24)).toEqual([from, from + hours * HOUR]);
    expect(isMidnight(from, ZONE)).toBe(true);
  });
  it("puts ticks on every sixth local hour", () => {
    const from = Date.parse("2026-03-08T08:00:00Z");
    const ticks = localTicks(from, from + 23 * HOUR, ZONE, 6).map((t) => new Date(t).toISOString().slice(11, 13));
    expect(ticks).toEqual(["08", "13", "19", "01", "07"]);
  });
});
