/** The page of a site: header, notices, key figures, charts, and the lists beside them. */
import { useCallback, useEffect, useState } from "react";

import { api } from "../api/client";
import type { Session, SiteName } from "../api/types";
import { useLive } from "../live";
import { link, plantNow, type Clock } from "../model/clock";
import { needsAcknowledgement } from "../model/figures";
import { ms } from "../model/format";
import { Alarms } from "./alarms";
import { ControlCard } from "./control-card";
import { Charts } from "./charts";
import { Header } from "./header";
import { Inputs } from "./inputs";
import { KeyFigures } from "./key-figures";
import { Notices } from "./notices";
import { RunCard } from "./run-card";

/** The page's own time, every second. */
function useSeconds(): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(performance.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

interface Props {
  site: SiteName;
  sites: readonly SiteName[];
  session: Session;
  onChoose: (site: string) => void;
  onSignedOut: () => void;
}

export function SitePage({ site, sites, session, onChoose, onSignedOut }: Props) {
  const { live, refresh } = useLive(site.site, onSignedOut);
  const pageMs = useSeconds();
  const state = link(live.heardMs, live.busConnected, pageMs);
  const { view, clock } = live;
  const signOut = useCallback(() => void api.signOut().finally(onSignedOut), [onSignedOut]);
  const plantMs = nowOf(clock, view?.now, pageMs);
  const waiting = (view?.alarms ?? []).filter(needsAcknowledgement).length;
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${site.name} · Headworks`;
  }, [waiting, site.name]);
  const stale = state.state === "stale" || state.state === "bus away";

  return (
    <div className={stale ? "page stale" : "page"}>
      <Header
        site={site}
        sites={sites}
        zone={view?.time_zone ?? "UTC"}
        plantMs={plantMs}
        speed={clock?.speed ?? 1}
        link={state}
        session={session}
        onChoose={onChoose}
        onSignOut={signOut}
      />
      <main>
        <Notices view={view} link={state} fault={live.fault} />
        {view === null || plantMs === null ? (
          <p className="asking">Loading …</p>
        ) : (
          <>
            <KeyFigures view={view} plantMs={plantMs} />
            <div className="columns">
              <Alarms view={view} plantMs={plantMs} session={session} onDone={refresh} />
              <Charts view={view} plantMs={plantMs} />
              <div className="side">
                <ControlCard view={view} plantMs={plantMs} session={session} onDone={refresh} />
                <RunCard view={view} run={live.run} plantMs={plantMs} session={session} onDone={refresh} />
              </div>
              <Inputs view={view} plantMs={plantMs} />
            </div>
          </>
        )}
      </main>
    </div>
  );
}

function nowOf(clock: Clock | null, viewed: string | undefined, pageMs: number): number | null {
  if (clock !== null) return plantNow(clock, pageMs);
  return viewed === undefined ? null : ms(viewed);
}
