import { describe, expect, it } from "vitest";

import { link, plantNow } from "../src/model/clock";

describe("the plant's clock", () => {
  const clock = { plantMs: 1_000_000, heardMs: 500, speed: 144 };
  it("runs on between beats at its speed", () => expect(plantNow(clock, 1500)).toBe(1_000_000 + 144_000));
  it("stops when nobody has told the time for long", () => {
    expect(plantNow(clock, 500 + 15_000)).toBe(plantNow(clock, 500 + 60_000));
  });
  it("never runs back", () => expect(plantNow(clock, 0)).toBe(1_000_000));
});

describe("the link", () => {
  it("is connecting until the first word", () => expect(link(null, true, 0)).toEqual({ state: "connecting" }));
  it("is live to 15 s of silence and stale past them", () => {
    expect(link(0, true, 15_000)).toEqual({ state: "live", silentS: 15 });
    expect(link(0, true, 15_001).state).toBe("stale");
  });
  it("tells when the service is there and the bus is not", () => expect(link(0, false, 1000).state).toBe("bus away"));
  it("is stale rather than bus away when nothing is heard", () => expect(link(0, false, 20_000).state).toBe("stale"));
});
