/** One site among all: its state, key figures, the next day, and its alarms, with the way to its page. */
import { useEffect } from "react";

import { SmallChart as AfterbayChart } from "../afterbay/charts";
import { FewFigures as AfterbayFigures } from "../afterbay/key-figures";
import type { Session, SiteName, View } from "../api/types";
import { useLive, useNow } from "../live";
import { needsAcknowledgement } from "../model/figures";
import { Alarms } from "../parts/alarms";
import { LinkState, PlantClock } from "../parts/header";
import { Notices } from "../parts/notices";
import { RunStateLine } from "../parts/run-card";
import { addressOf } from "../route";
import { SmallChart as StationChart } from "../station/charts";
import { FewFigures as StationFigures } from "../station/key-figures";

interface Props {
  site: SiteName;
  session: Session;
  onSignedOut: () => void;
  onWaiting: (site: string, count: number) => void;
}

export function SitePanel({ site, session, onSignedOut, onWaiting }: Props) {
  const { live, refresh } = useLive(site.site, onSignedOut);
  const { plantMs, state } = useNow(live);
  const { view, clock } = live;
  const waiting = (view?.alarms ?? []).filter(needsAcknowledgement).length;
  useEffect(() => onWaiting(site.site, waiting), [onWaiting, site.site, waiting]);
  const stale = state.state === "stale" || state.state === "bus away";
  const title = `${site.site}-title`;
  return (
    <section className={stale ? "panel stale" : "panel"} aria-labelledby={title} data-testid={`site-${site.site}`}>
      <header>
        <h1 id={title}>
          <a href={addressOf(site.site)}>{site.name}</a>
        </h1>
        <PlantClock zone={view?.time_zone ?? "UTC"} plantMs={plantMs} speed={clock?.speed ?? 1} />
        <LinkState link={state} />
      </header>
      <Notices view={view} link={state} fault={live.fault} />
      {view === null || plantMs === null ? (
        <p className="asking">Loading …</p>
      ) : (
        <>
          <Figures view={view} plantMs={plantMs} />
          <Alarms view={view} plantMs={plantMs} session={session} onDone={refresh} />
          <Drawing view={view} plantMs={plantMs} />
          <section className="card" aria-label="Latest run">
            <h2>Latest run</h2>
            <RunStateLine run={view.newest_run} news={live.run} view={view} plantMs={plantMs} />
            {view.schedule?.next_action && <p className="detail">{view.schedule.next_action}</p>}
          </section>
        </>
      )}
    </section>
  );
}

interface OfKind {
  view: View;
  plantMs: number;
}

function Figures({ view, plantMs }: OfKind) {
  switch (view.model) {
    case "afterbay":
      return <AfterbayFigures view={view} plantMs={plantMs} />;
    case "pumping_station":
      return <StationFigures view={view} plantMs={plantMs} />;
  }
}

function Drawing({ view, plantMs }: OfKind) {
  switch (view.model) {
    case "afterbay":
      return (
        <section className="card" aria-label="Elevation of the next day">
          <AfterbayChart view={view} plantMs={plantMs} />
        </section>
      );
    case "pumping_station":
      return (
        <section className="card" aria-label="Level of the next day">
          <StationChart view={view} plantMs={plantMs} />
        </section>
      );
  }
}
