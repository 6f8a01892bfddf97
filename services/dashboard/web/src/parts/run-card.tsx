/** The latest run: how it ended, what it is made of, which limits shape it, what had to give way, and from which inputs. */
import { useState } from "react";

import { api } from "../api/client";
import type { RunNews, RunState, Schedule, Session, View } from "../api/types";
import { age, duration, NOT_KNOWN, number, when } from "../model/format";
import { Mark, type Kind } from "./marks";
import { OrderDialog } from "./order-dialog";

const STATUSES: Record<NonNullable<RunState["status"]>, readonly [Kind, string]> = {
  SOLVED: ["good", "solved"],
  RELAXED: ["warning", "relaxed: limits gave way"],
  INFEASIBLE: ["critical", "infeasible"],
  FAILED: ["critical", "failed"],
  CANCELLED: ["note", "cancelled"],
};

interface Props {
  view: View;
  run: RunNews | null;
  plantMs: number;
  session: Session;
  onDone: () => void;
}

export function RunCard({ view, run, plantMs, session, onDone }: Props) {
  const [asking, setAsking] = useState(false);
  const { schedule, newest_run: newest } = view;
  const away = (part: string) => view.not_known.some((entry) => entry.part === part);
  return (
    <section className="card run" aria-labelledby="run-title">
      <h2 id="run-title">
        Latest run
        {session.scopes.includes("operate") && (
          <button type="button" onClick={() => setAsking(true)}>
            Run now
          </button>
        )}
      </h2>
      {away("newest run") && (
        <p className="unknown">
          <Mark kind="unknown" /> The newest run is {NOT_KNOWN}
        </p>
      )}
      {newest !== null && <State run={newest} news={run} view={view} plantMs={plantMs} />}
      {schedule === null ? (
        <p className="unknown">
          {away("schedule and forecast") ? `The schedule is ${NOT_KNOWN}: the optimizer is away.` : "No run has a schedule yet."}
        </p>
      ) : (
        <Details schedule={schedule} view={view} plantMs={plantMs} newer={newest !== null && newest.run_id !== schedule.run.run_id} />
      )}
      {asking && (
        <OrderDialog
          title="Solve now?"
          text="A run is queued with what is known now. If its schedule passes its replay, it becomes the plan."
          confirm="Run now"
          give={(reason) => api.runNow(view.site, reason)}
          onClose={(given) => {
            setAsking(false);
            if (given) onDone();
          }}
        />
      )}
    </section>
  );
}

function State({ run, news, view, plantMs }: { run: RunState; news: RunNews | null; view: View; plantMs: number }) {
  const status = (news?.run_id === run.run_id ? news.status : null) ?? run.status;
  const [kind, words] = status === null ? (["note", `in work: ${news?.run_id === run.run_id ? (news.stage ?? run.stage) : run.stage}`] as const) : STATUSES[status];
  return (
    <p>
      <Mark kind={kind} /> <b>{words}</b>{" "}
      <span className="detail">
        {when(run.finished_at ?? run.requested_at, view.time_zone, plantMs)} ({age(run.finished_at ?? run.requested_at, plantMs)}) ·{" "}
        {run.reason}, {run.requested_by}
      </span>
      {run.status_reason && <span className="detail"> · {run.status_reason}</span>}
    </p>
  );
}

function Details({ schedule, view, plantMs, newer }: { schedule: Schedule; view: View; plantMs: number; newer: boolean }) {
  const terms = Object.entries(schedule.objective_by_term);
  const doubtful = schedule.inputs.filter((input) => input.stale || input.substituted !== null);
  return (
    <>
      {newer && (
        <p className="detail">
          The schedule shown is of the run of {when(schedule.run.finished_at ?? schedule.run.requested_at, view.time_zone, plantMs)}.
        </p>
      )}
      <dl className="facts">
        <Fact name="Next action" value={schedule.next_action || NOT_KNOWN} />
        <Fact name="Gap" value={schedule.gap === null ? NOT_KNOWN : `${number(schedule.gap * 100, 2)} %`} />
        <Fact name="Run time" value={schedule.run_time_s === null ? NOT_KNOWN : `${number(schedule.run_time_s * 1000, 0)} ms`} />
        <Fact name="Form" value={[schedule.form?.toUpperCase(), schedule.solver].filter(Boolean).join(", ") || NOT_KNOWN} />
        <Fact name="MFRA from" value={schedule.mfra_summary || NOT_KNOWN} />
      </dl>
      <Spans title="What gave way" empty="Nothing: every limit holds." kind="warning" spans={schedule.relaxations} view={view} plantMs={plantMs} />
      <Spans title="Binding limits" empty="None." kind="note" spans={schedule.bindings} view={view} plantMs={plantMs} />
      <details>
        <summary>Objective {schedule.objective === null ? NOT_KNOWN : number(schedule.objective, 1)}, by term</summary>
        <dl className="facts terms">
          {terms.map(([name, value]) => (
            <Fact key={name} name={name.replace(/_/g, " ")} value={number(value, 1)} />
          ))}
        </dl>
      </details>
      <details open={doubtful.length > 0 && doubtful.some((input) => input.stale)}>
        <summary>
          {schedule.inputs.length} inputs of the run{doubtful.length > 0 ? `, ${doubtful.length} stale or substituted` : ""}
        </summary>
        <ul className="uses">
          {schedule.inputs.map((input) => (
            <li key={input.series}>
              <Mark kind={input.stale ? "warning" : input.substituted !== null ? "note" : "good"} />
              <span>
                {input.label} <small>from {input.source}</small>
                {input.substituted && <small> · {input.substituted}</small>}
              </span>
              <small className="age">
                {input.age_s === null ? "" : `${duration(input.age_s)} old${input.stale ? ", stale" : ""}`}
              </small>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

interface SpansProps {
  title: string;
  empty: string;
  kind: Kind;
  spans: Schedule["bindings"];
  view: View;
  plantMs: number;
}

const SHOWN_SPANS = 5;

function Spans({ title, empty, kind, spans, view, plantMs }: SpansProps) {
  return (
    <div className="spans">
      <h3>{title}</h3>
      {spans.length === 0 ? (
        <p className="detail">{empty}</p>
      ) : (
        <ul>
          {spans.slice(0, SHOWN_SPANS).map((span) => (
            <li key={`${span.limit} ${span.start}`}>
              <Mark kind={kind} />
              <span>
                {span.text || (
                  <>
                    {span.limit}{" "}
                    <small>
                      {when(span.start, view.time_zone, plantMs)} to {when(span.end, view.time_zone, plantMs)}
                    </small>
                  </>
                )}
              </span>
            </li>
          ))}
          {spans.length > SHOWN_SPANS && <li className="detail">and {spans.length - SHOWN_SPANS} more</li>}
        </ul>
      )}
    </div>
  );
}
