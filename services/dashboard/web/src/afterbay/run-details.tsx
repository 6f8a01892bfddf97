/** What an afterbay's schedule says: what it is made of, which limits shape it, what had to give way. */
import type { AfterbayView, Schedule } from "../api/types";
import { NOT_KNOWN, number, when } from "../model/format";
import { Mark, type Kind } from "../parts/marks";
import { Fact, Objective } from "../parts/run-card";

export function RunDetails({ schedule, view, plantMs }: { schedule: Schedule; view: AfterbayView; plantMs: number }) {
  return (
    <>
      <dl className="facts">
        <Fact name="Next action" value={schedule.next_action || NOT_KNOWN} />
        <Fact name="Gap" value={schedule.gap === null ? NOT_KNOWN : `${number(schedule.gap * 100, 2)} %`} />
        <Fact name="Run time" value={schedule.run_time_s === null ? NOT_KNOWN : `${number(schedule.run_time_s * 1000, 0)} ms`} />
        <Fact name="Form" value={[schedule.form?.toUpperCase(), schedule.solver].filter(Boolean).join(", ") || NOT_KNOWN} />
        <Fact name="MFRA from" value={schedule.mfra_summary || NOT_KNOWN} />
      </dl>
      <Spans title="What gave way" empty="Nothing: every limit holds." kind="warning" spans={schedule.relaxations} view={view} plantMs={plantMs} />
      <Spans title="Binding limits" empty="None." kind="note" spans={schedule.bindings} view={view} plantMs={plantMs} />
      <Objective schedule={schedule} />
    </>
  );
}

interface SpansProps {
  title: string;
  empty: string;
  kind: Kind;
  spans: Schedule["bindings"];
  view: AfterbayView;
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
