/** The page of a pumping station: key figures, pumps, charts, and the lists beside them. */
import type { Input, StationView } from "../api/types";
import { Alarms } from "../parts/alarms";
import { ControlCard } from "../parts/control-card";
import { Inputs } from "../parts/inputs";
import { RunCard } from "../parts/run-card";
import type { Shown } from "../parts/site-page";
import { Charts } from "./charts";
import { KeyFigures } from "./key-figures";
import { Pumps } from "./pumps";
import { RunDetails } from "./run-details";

const OF_PUMPS = { name: "values of pumps", holds: (input: Input) => /^p\d+_\d+_/.test(input.series) };

export function StationPage({ view, plantMs, run, session, onDone }: Shown<StationView>) {
  return (
    <>
      <KeyFigures view={view} plantMs={plantMs} />
      <div className="columns">
        <Alarms view={view} plantMs={plantMs} session={session} onDone={onDone} />
        <div className="charts">
          <Pumps view={view} plantMs={plantMs} />
          <Charts view={view} plantMs={plantMs} />
        </div>
        <div className="side">
          <ControlCard view={view} plantMs={plantMs} session={session} onDone={onDone} />
          <RunCard view={view} run={run} plantMs={plantMs} session={session} onDone={onDone}>
            {view.schedule !== null && <RunDetails schedule={view.schedule} view={view} plantMs={plantMs} />}
          </RunCard>
        </div>
        <Inputs view={view} plantMs={plantMs} folded={OF_PUMPS} />
      </div>
    </>
  );
}
