/** The raised alarms, those that wait for a person first; an operator acknowledges them here. */
import { useState } from "react";

import { api } from "../api/client";
import type { Alarm, AlarmState, Session, View } from "../api/types";
import { needsAcknowledgement, raisedAlarms } from "../model/figures";
import { age, NOT_KNOWN, when } from "../model/format";
import { Mark, type Kind } from "./marks";

const KINDS: Record<Alarm["severity"], Kind> = { critical: "critical", warning: "warning", information: "note" };
const STATES: Record<AlarmState, string> = {
  normal: "normal",
  active_unacknowledged: "active, not acknowledged",
  active_acknowledged: "active, acknowledged",
  returned_unacknowledged: "over, not acknowledged",
  shelved: "shelved",
};

interface Props {
  view: View;
  plantMs: number;
  session: Session;
  onDone: () => void;
}

export function Alarms({ view, plantMs, session, onDone }: Props) {
  const raised = view.alarms === null ? null : raisedAlarms(view.alarms);
  const waiting = raised?.filter(needsAcknowledgement).length ?? 0;
  return (
    <section className="card alarms" aria-labelledby="alarms-title">
      <h2 id="alarms-title">
        Alarms
        {raised !== null && <small>{raised.length === 0 ? "none" : `${raised.length} raised, ${waiting} to acknowledge`}</small>}
      </h2>
      {raised === null ? (
        <p className="unknown">
          <Mark kind="unknown" /> Alarms are {NOT_KNOWN}
        </p>
      ) : raised.length === 0 ? (
        <p>
          <Mark kind="good" /> All {view.alarms?.length ?? 0} watched conditions are normal
        </p>
      ) : (
        <ul>
          {raised.map((alarm) => (
            <Row key={alarm.alarm} alarm={alarm} view={view} plantMs={plantMs} session={session} onDone={onDone} />
          ))}
        </ul>
      )}
    </section>
  );
}

function Row({ alarm, view, plantMs, session, onDone }: Props & { alarm: Alarm }) {
  const [problem, setProblem] = useState<string | null>(null);
  const [busy, setBusy] = useState(false);
  const waits = needsAcknowledgement(alarm);

  async function acknowledge() {
    setBusy(true);
    try {
      await api.acknowledge(view.site, alarm.alarm, null);
      setProblem(null);
      onDone();
    } catch (error) {
      setProblem((error as Error).message);
    }
    setBusy(false);
  }

  return (
    <li className={`${alarm.severity} ${waits ? "waits" : ""}`}>
      <Mark kind={KINDS[alarm.severity]} />
      <div>
        <b>{alarm.title}</b>
        <p className="detail">
          <span className="severity">{alarm.severity}</span> · {STATES[alarm.state]}
          {alarm.acknowledged_by ? ` by ${alarm.acknowledged_by}` : ""} · {when(alarm.since, view.time_zone, plantMs)} (
          {age(alarm.since, plantMs)})
        </p>
        {alarm.text && <p className="detail">{alarm.text}</p>}
        {problem !== null && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
      </div>
      {waits && session.scopes.includes("operate") && (
        <button type="button" disabled={busy} onClick={() => void acknowledge()} aria-label={`Acknowledge: ${alarm.title}`}>
          Acknowledge
        </button>
      )}
    </li>
  );
}
