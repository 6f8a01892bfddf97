/** The latest run: how it ended, an order for a new one, and its inputs; each kind of site tells the rest of its schedule. */
import { useState, type ReactNode } from "react";

import { api } from "../api/client";
import type { RunInput, RunNews, RunState, Schedule, Session, View } from "../api/types";
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
  /** What the schedule says. */
  children: ReactNode;
}

export function RunCard({ view, run, plantMs, session, onDone, children }: Props) {
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
      <RunStateLine run={newest} news={run} view={view} plantMs={plantMs} />
      {schedule === null ? (
        <p className="unknown">
          {away("schedule and forecast") ? `The schedule is ${NOT_KNOWN}: the optimizer is away.` : "No run has a schedule yet."}
        </p>
      ) : (
        <>
          {newest !== null && newest.run_id !== schedule.run.run_id && (
            <p className="detail">
              The schedule shown is of the run of {when(schedule.run.finished_at ?? schedule.run.requested_at, view.time_zone, plantMs)}.
            </p>
          )}
          {children}
          <RunInputs inputs={schedule.inputs} />
        </>
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

interface LineProps {
  run: RunState | null;
  news: RunNews | null;
  view: View;
  plantMs: number;
}

/** How the newest run stands or ended, in a line. */
export function RunStateLine({ run, news, view, plantMs }: LineProps) {
  if (run === null) {
    const away = view.not_known.some((entry) => entry.part === "newest run");
    return <p className="unknown">{away ? <><Mark kind="unknown" /> The newest run is {NOT_KNOWN}</> : "There was no run yet."}</p>;
  }
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

/** What the run was made of, with the age of each value then. */
function RunInputs({ inputs }: { inputs: readonly RunInput[] }) {
  const doubtful = inputs.filter((input) => input.stale || input.substituted !== null);
  return (
    <details open={doubtful.length > 0 && doubtful.some((input) => input.stale)}>
      <summary>
        {inputs.length} inputs of the run{doubtful.length > 0 ? `, ${doubtful.length} stale or substituted` : ""}
      </summary>
      <ul className="uses">
        {inputs.map((input) => (
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
  );
}

/** The objective and its terms. */
export function Objective({ schedule }: { schedule: Pick<Schedule, "objective" | "objective_by_term"> }) {
  return (
    <details>
      <summary>Objective {schedule.objective === null ? NOT_KNOWN : number(schedule.objective, 1)}, by term</summary>
      <dl className="facts terms">
        {Object.entries(schedule.objective_by_term).map(([name, value]) => (
          <Fact key={name} name={name.replace(/_/g, " ")} value={number(value, 1)} />
        ))}
      </dl>
    </details>
  );
}

export function Fact({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}
