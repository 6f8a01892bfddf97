/** The page of an afterbay: key figures, charts, and the lists beside them. */
import type { AfterbayView } from "../api/types";
import { Alarms } from "../parts/alarms";
import { ControlCard } from "../parts/control-card";
import { Inputs } from "../parts/inputs";
import { RunCard } from "../parts/run-card";
import type { Shown } from "../parts/site-page";
import { Charts } from "./charts";
import { KeyFigures } from "./key-figures";
import { RunDetails } from "./run-details";

export function AfterbayPage({ view, plantMs, run, session, onDone }: Shown<AfterbayView>) {
  return (
    <>
      <KeyFigures view={view} plantMs={plantMs} />
      <div className="columns">
        <Alarms view={view} plantMs={plantMs} session={session} onDone={onDone} />
        <div className="charts">
          <Charts view={view} plantMs={plantMs} />
        </div>
        <div className="side">
          <ControlCard view={view} plantMs={plantMs} session={session} onDone={onDone} />
          <RunCard view={view} run={run} plantMs={plantMs} session={session} onDone={onDone}>
            {view.schedule !== null && <RunDetails schedule={view.schedule} view={view} plantMs={plantMs} />}
          </RunCard>
        </div>
        <Inputs view={view} plantMs={plantMs} />
      </div>
    </>
  );
}
