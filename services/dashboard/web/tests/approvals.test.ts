import { describe, expect, it } from "vitest";

import type { Session } from "../src/api/types";
import { waiting, whyNot } from "../src/model/approvals";
import { approval, at, NOW } from "./sample";

const session = (name: string, role: Session["role"]): Session => ({ name, role, scopes: [], ends_at: null });

describe("plans that wait", () => {
  it("are shown until their time is over, the one that expires first at the top", () => {
    const kept = [approval(1), approval(2, { expires_at: at(5) }), approval(3, { expires_at: at(0) })];
    expect(waiting(kept, NOW).map((a) => a.approval_id)).toEqual([2, 1]);
    expect(waiting(kept, NOW + 60 * 60_000)).toEqual([]);
  });

  it("are decided by a person of the site's roles who neither asked for it nor publishes it", () => {
    expect(whyNot(session("otto", "operator"), approval(1))).toBeNull();
    expect(whyNot(session("vera", "viewer"), approval(1))).toBe("for an operator or an engineer to decide");
    expect(whyNot(session("vera", "operator"), approval(1, { roles: ["viewer"] }))).toBe("for a viewer to decide");
    expect(whyNot(session("ann", "operator"), approval(1))).toContain("second person");
    expect(whyNot(session("acme", "engineer"), approval(1))).toContain("second person");
  });
});
