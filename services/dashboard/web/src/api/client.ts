/** Calls of the dashboard service. Every refusal is a `Refused` with the service's own words. */
import type { Alarm, Control, ControlMode, Decided, ProblemDetails, Session, SiteName, View } from "./types";

export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly title: string,
    readonly detail: string,
  ) {
    super(detail ? `${title}: ${detail}` : title);
  }
}

async function call<T>(method: string, path: string, body?: unknown): Promise<T> {
  const request: RequestInit = { method, headers: { Accept: "application/json" } };
  if (body !== undefined) {
    request.body = JSON.stringify(body);
    request.headers = { Accept: "application/json", "Content-Type": "application/json" };
  }
  let response: Response;
  try {
    response = await fetch(path, request);
  } catch {
    throw new Refused(0, "The dashboard service does not answer", "");
  }
  if (!response.ok) {
    throw await refusal(response);
  }
  return (response.status === 204 ? undefined : await response.json()) as T;
}

async function refusal(response: Response): Promise<Refused> {
  const problem = (await response.json().catch(() => ({}))) as Partial<ProblemDetails>;
  const fields = (problem.errors ?? []).map((e) => `${e.field}: ${e.expected}`).join("; ");
  const title = problem.title ?? `The service answered ${response.status}`;
  return new Refused(response.status, title, [problem.detail, fields].filter(Boolean).join("; "));
}

const at = (site: string) => `/sites/${encodeURIComponent(site)}`;

export const api = {
  session: () => call<Session>("GET", "/session"),
  signIn: (name: string, password: string) => call<Session>("POST", "/session", { name, password }),
  signOut: () => call<void>("DELETE", "/session"),
  sites: () => call<SiteName[]>("GET", "/sites"),
  view: (site: string) => call<View>("GET", `${at(site)}/view`),
  acknowledge: (site: string, alarm: string, comment: string | null) =>
    call<Alarm>("POST", `${at(site)}/alarms/${encodeURIComponent(alarm)}/acknowledge`, { comment }),
  mode: (site: string, mode: ControlMode, reason: string) =>
    call<Control>("POST", `${at(site)}/mode`, { mode, reason }),
  eStop: (site: string, reason: string) => call<Control>("POST", `${at(site)}/e-stop`, { reason }),
  clearEStop: (site: string, reason: string) => call<Control>("POST", `${at(site)}/e-stop/clear`, { reason }),
  decide: (site: string, approvalId: number, decision: "approve" | "reject", reason: string) =>
    call<Decided>("POST", `${at(site)}/approvals/${approvalId}/${decision}`, { reason }),
  runNow: (site: string, reason: string) => call<{ run_id: string }>("POST", `${at(site)}/runs`, { reason }),
  liveAddress: (site: string) => `${at(site)}/live`,
};
