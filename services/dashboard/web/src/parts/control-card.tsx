/** Who leads, the e-stop, and the gateway's last decisions. */
import { useState } from "react";

import { api } from "../api/client";
import type { ControlMode, Session, SetpointEntry, View } from "../api/types";
import { age, NOT_KNOWN, quantity } from "../model/format";
import { Mark, type Kind } from "./marks";
import { OrderDialog } from "./order-dialog";

type Order = { kind: "mode"; mode: ControlMode } | { kind: "e-stop" } | { kind: "clear" };
const SHOWN_ENTRIES = 4;
const MODES: readonly ControlMode[] = ["auto", "manual", "off"];
const EFFECTS: Record<ControlMode, string> = {
  auto: "The gateway follows the plan in force, within its own limits and rate.",
  manual: "The gateway writes nothing; a person leads at the plant.",
  off: "The gateway writes nothing; nobody leads.",
  maintenance: "The gateway writes nothing and starts nothing: somebody works on it.",
};

interface Props {
  view: View;
  plantMs: number;
  session: Session;
  onDone: () => void;
}

export function ControlCard({ view, plantMs, session, onDone }: Props) {
  const [order, setOrder] = useState<Order | null>(null);
  const control = view.control;
  const askedBy = control?.e_stop_clear_requested_by ?? null;
  const mayOperate = session.scopes.includes("operate");
  return (
    <section className="card control" aria-labelledby="control-title">
      <h2 id="control-title">
        Control
        {control !== null && <small>gateway heard {age(control.at, plantMs)}</small>}
      </h2>
      {control === null && (
        <p className="unknown">
          <Mark kind="unknown" /> The gateway's state is {NOT_KNOWN}
        </p>
      )}
      <p className="modes" role="group" aria-label="Mode and emergency stop">
        {control !== null &&
          MODES.map((mode) => (
            <button
              key={mode}
              type="button"
              aria-pressed={control.mode === mode}
              disabled={!mayOperate || control.mode === mode}
              onClick={() => setOrder({ kind: "mode", mode })}
            >
              {mode}
            </button>
          ))}
        {control?.e_stop ? (
          <button
            type="button"
            className="danger"
            disabled={!session.scopes.includes("engineer")}
            onClick={() => setOrder({ kind: "clear" })}
          >
            {askedBy === null ? "Clear e-stop" : "Confirm clearing"}
          </button>
        ) : (
          <button type="button" className="danger" disabled={!mayOperate} onClick={() => setOrder({ kind: "e-stop" })}>
            <Mark kind="critical" /> E-stop
          </button>
        )}
      </p>
      <Journal entries={view.setpoints} plantMs={plantMs} />
      {order !== null && (
        <OrderFor
          order={order}
          site={view.site}
          askedBy={askedBy}
          onClose={(given) => {
            setOrder(null);
            if (given) onDone();
          }}
        />
      )}
    </section>
  );
}

interface OrderProps {
  order: Order;
  site: string;
  askedBy: string | null;
  onClose: (given: boolean) => void;
}

function OrderFor({ order, site, askedBy, onClose }: OrderProps) {
  switch (order.kind) {
    case "mode":
      return (
        <OrderDialog
          title={`Set the mode to ${order.mode}?`}
          text={EFFECTS[order.mode]}
          confirm={`Set ${order.mode}`}
          give={(reason) => api.mode(site, order.mode, reason)}
          onClose={onClose}
        />
      );
    case "e-stop":
      return (
        <OrderDialog
          title="Emergency stop?"
          text="The gateway stops all writes to the site at once; the plant holds what it has. Only two engineers together can clear it."
          confirm="Stop now"
          danger
          give={(reason) => api.eStop(site, reason)}
          onClose={onClose}
        />
      );
    case "clear":
      return (
        <OrderDialog
          title="Clear the emergency stop?"
          text={
            askedBy === null
              ? "This asks for it. Nothing is written until a second engineer confirms within 10 minutes."
              : `${askedBy} asked for it. Confirmed by somebody else, the gateway goes on with the plan in force, at its own rate.`
          }
          confirm={askedBy === null ? "Clear e-stop" : "Confirm clearing"}
          danger
          give={(reason) => api.clearEStop(site, reason)}
          onClose={onClose}
        />
      );
  }
}

const OUTCOMES: Record<SetpointEntry["outcome"], readonly [Kind, string]> = {
  intended: ["note", "intended"],
  verified: ["good", "verified"],
  held: ["note", "held"],
  refused: ["critical", "refused"],
  read_back_differs: ["critical", "read-back differs"],
  link_lost: ["critical", "link lost"],
};

function Journal({ entries, plantMs }: { entries: View["setpoints"]; plantMs: number }) {
  if (entries === null) return <p className="unknown">Setpoints are {NOT_KNOWN}</p>;
  const newest = entries.filter((e) => e.outcome !== "intended").slice(-SHOWN_ENTRIES).reverse();
  if (newest.length === 0) return <p className="detail">No decision is journalled yet.</p>;
  return (
    <ol className="journal" aria-label="Newest decisions of the gateway">
      {newest.map((entry) => {
        const [kind, words] = OUTCOMES[entry.outcome];
        return (
          <li key={`${entry.setpoint_id}-${entry.quantity}-${entry.outcome}`}>
            <Mark kind={kind} />
            <span>
              {entry.resource} {enforced(entry)} {words}
              {entry.reason ? <small> {entry.reason}</small> : null}
            </span>
            <small className="age">{age(entry.at, plantMs)}</small>
          </li>
        );
      })}
    </ol>
  );
}

/** What was written: a setpoint in its unit, or a run command. */
function enforced(entry: SetpointEntry): string {
  if (entry.enforced === null) return "";
  if (entry.quantity === "run") return entry.enforced > 0 ? "to run" : "to stand";
  return quantity(entry.enforced, entry.unit);
}
