/** Plans that wait for a person's approval: what each asks, until when it waits, and the person's yes or no. */
import { useState } from "react";

import { api } from "../api/client";
import type { Approval, Session, View } from "../api/types";
import { waiting, whyNot } from "../model/approvals";
import { age, when } from "../model/format";
import { Mark } from "./marks";
import { OrderDialog } from "./order-dialog";

interface Props {
  view: View;
  plantMs: number;
  session: Session;
  onDone: () => void;
}

/** Nothing where nothing waits; that it is not known stands in the notices. */
export function Approvals({ view, plantMs, session, onDone }: Props) {
  const shown = waiting(view.approvals ?? [], plantMs);
  if (shown.length === 0) return null;
  return (
    <section className="card approvals" aria-labelledby="approvals-title">
      <h2 id="approvals-title">
        Plans that wait for approval
        <small>{shown.length}</small>
      </h2>
      <ul>
        {shown.map((approval) => (
          <Row
            key={approval.approval_id}
            approval={approval}
            view={view}
            plantMs={plantMs}
            session={session}
            onDone={onDone}
          />
        ))}
      </ul>
    </section>
  );
}

type Decision = "approve" | "reject";

function Row({ approval, view, plantMs, session, onDone }: Props & { approval: Approval }) {
  const [decision, setDecision] = useState<Decision | null>(null);
  const barred = whyNot(session, approval);
  const at = (instant: string) => when(instant, view.time_zone, plantMs);
  const what = `${approval.publisher} for ${approval.resources.join(", ")}`;
  return (
    <li>
      <Mark kind="warning" />
      <div>
        <b>{what}</b>
        <p className="detail">
          {at(approval.begins)} to {at(approval.ends)} · priority {approval.priority} · asked by {approval.asked_by}{" "}
          {age(approval.asked_at, plantMs)} · expires <b>{age(approval.expires_at, plantMs)}</b>
        </p>
        {approval.reason && <p className="detail">{approval.reason}</p>}
        <Steps approval={approval} at={at} />
      </div>
      {barred === null ? (
        <p className="buttons">
          <button type="button" onClick={() => setDecision("reject")} aria-label={`Reject: ${what}`}>
            Reject
          </button>
          <button type="button" className="primary" onClick={() => setDecision("approve")} aria-label={`Approve: ${what}`}>
            Approve
          </button>
        </p>
      ) : (
        <p className="detail">{barred}</p>
      )}
      {decision !== null && (
        <OrderDialog
          title={decision === "approve" ? "Approve this plan?" : "Reject this plan?"}
          text={`${what}, ${at(approval.begins)} to ${at(approval.ends)}. ${EFFECTS[decision]}`}
          confirm={decision === "approve" ? "Approve" : "Reject"}
          danger={decision === "reject"}
          give={(reason) => api.decide(view.site, approval.approval_id, decision, reason)}
          onClose={(given) => {
            setDecision(null);
            if (given) onDone();
          }}
        />
      )}
    </li>
  );
}

const EFFECTS: Record<Decision, string> = {
  approve: "It is judged again by all rules now; if they allow it, it is in force at once.",
  reject: "Its publisher is told by whom and why.",
};

function Steps({ approval, at }: { approval: Approval; at: (instant: string) => string }) {
  const { steps, steps_left_out: more } = approval;
  return (
    <details>
      <summary>
        What it asks: {steps.length + more} {steps.length + more === 1 ? "step" : "steps"}
      </summary>
      <div className="scroll">
        <table>
          <tbody>
            {steps.map((step) => (
              <tr key={`${step.resource} ${step.start}`}>
                <th scope="row">{step.resource}</th>
                <td>
                  {at(step.start)} to {at(step.end)}
                </td>
                <td className="value">{step.text}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {more > 0 && <p className="detail">{more} later steps are not shown; the plans service has them all.</p>}
    </details>
  );
}
