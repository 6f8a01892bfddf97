import { describe, expect, it } from "vitest";

import { addressOf, siteOf } from "../src/route";

describe("address", () => {
  it("names a site, or none", () => {
    expect(siteOf("#/abay")).toBe("abay");
    expect(siteOf("#/")).toBeNull();
    expect(siteOf("")).toBeNull();
  });
  it("leads back to what it names", () => {
    expect(siteOf(addressOf("blominmaki"))).toBe("blominmaki");
    expect(siteOf(addressOf(null))).toBeNull();
  });
  it("that cannot be read names none", () => expect(siteOf("#/%E0%A4%A")).toBeNull());
});
