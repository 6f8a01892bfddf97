/** Plans that wait for a person: which still wait, and who may decide. The plans service asks all of it again. */
import type { Approval, Session } from "../api/types";
import { ms } from "./format";

/** Those whose time is not over, the one that expires first at the top. */
export function waiting(approvals: readonly Approval[], plantMs: number): Approval[] {
  return approvals.filter((a) => ms(a.expires_at) > plantMs).sort((a, b) => ms(a.expires_at) - ms(b.expires_at));
}

/** Why this person may not decide; null for whoever may. */
export function whyNot(session: Session, approval: Approval): string | null {
  if (!approval.roles.includes(session.role)) return `for ${listed(approval.roles)} to decide`;
  const own = session.name === approval.publisher || session.name === approval.asked_by;
  return own ? "you asked for it: it takes a second person" : null;
}

function listed(roles: readonly string[]): string {
  const named = roles.map((role) => `an ${role}`.replace(/^an (?![aeiou])/, "a "));
  return named.length < 2 ? named.join("") : `${named.slice(0, -1).join(", ")} or ${named.at(-1)}`;
}
