/** What every reader must know before the figures: the link, e-stop, who leads, and what is not known and why. */
import type { Interlock, View } from "../api/types";
import type { Link } from "../model/clock";
import { duration } from "../model/format";
import { Mark, type Kind } from "./marks";

interface Notice {
  readonly kind: Kind;
  readonly key: string;
  readonly title: string;
  readonly text: string;
}

const WITHOUT_PLAN = {
  manual: "A person leads; plans are not followed.",
  off: "Nobody leads; nothing is written.",
  maintenance: "Somebody works on it; nothing is written and nothing starts.",
} as const;
const INTERLOCKS: Record<Interlock, string> = {
  low_low: "Low-low: the tunnel is so empty that pumps stop whatever the plan says.",
  high_high: "High-high: the tunnel is so full that pumps start whatever the plan says.",
};

export function notices(view: View | null, link: Link, fault: string | null): Notice[] {
  const found: Notice[] = [];
  if (link.state === "stale") {
    const text = `No news for ${duration(link.silentS)}. Everything below is as it was then; do not act on it.`;
    found.push({ kind: "critical", key: "stale", title: "Stale", text });
  }
  if (link.state === "bus away") {
    const text = "The dashboard does not hear the bus. Values below are the last that were heard.";
    found.push({ kind: "warning", key: "bus", title: "Bus away", text });
  }
  if (fault !== null) found.push({ kind: "warning", key: "fault", title: "Not refreshed", text: fault });
  const control = view?.control ?? null;
  if (control?.e_stop) {
    const by = control.e_stop_by === null ? "" : `Pressed by ${control.e_stop_by}. `;
    const asked = control.e_stop_clear_requested_by ?? null;
    const next = asked === null ? "until two engineers clear it." : `until a second engineer confirms: ${asked} asked to clear it.`;
    const text = `${by}No setpoint is written ${next}`;
    found.push({ kind: "critical", key: "e-stop", title: "Emergency stop is active", text });
  }
  const interlock = control?.interlock ?? null;
  if (interlock !== null) {
    found.push({ kind: "critical", key: "interlock", title: "A level interlock stands above the plan", text: INTERLOCKS[interlock] });
  }
  if (control !== null && control.mode !== "auto") {
    found.push({ kind: "warning", key: "mode", title: `Mode is ${control.mode}`, text: WITHOUT_PLAN[control.mode] });
  }
  return [...found, ...away(view)];
}

/** One notice for each service that is away, with all the parts that are not known for it. */
function away(view: View | null): Notice[] {
  const byService = new Map<string, { parts: string[]; reason: string }>();
  for (const { service, part, reason } of view?.not_known ?? []) {
    const entry = byService.get(service) ?? { parts: [], reason };
    entry.parts.push(part);
    byService.set(service, entry);
  }
  return [...byService].map(([service, { parts, reason }]) => ({
    kind: "warning",
    key: service,
    title: `Not known: ${parts.join(", ")}`,
    text: `${reason.replace(/_/g, " ")}.`,
  }));
}

export function Notices({ view, link, fault }: { view: View | null; link: Link; fault: string | null }) {
  const shown = notices(view, link, fault);
  if (shown.length === 0) return null;
  return (
    <ul className="notices" aria-label="Notices">
      {shown.map((notice) => (
        <li key={notice.key} className={notice.kind} role={notice.kind === "critical" ? "alert" : undefined}>
          <Mark kind={notice.kind} />
          <b>{notice.title}</b> <span>{notice.text}</span>
        </li>
      ))}
    </ul>
  );
}
