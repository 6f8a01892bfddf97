/** The page of a site: header, notices, and what its kind shows. */
import { useCallback, useEffect } from "react";

import { AfterbayPage } from "../afterbay/page";
import { api } from "../api/client";
import type { RunNews, Session, SiteName, View } from "../api/types";
import { useLive, useNow } from "../live";
import { needsAcknowledgement } from "../model/figures";
import { StationPage } from "../station/page";
import { Approvals } from "./approvals";
import { Header, LinkState, PlantClock } from "./header";
import { Notices } from "./notices";

/** What the page of a kind of site is given. */
export interface Shown<V extends View> {
  readonly view: V;
  readonly plantMs: number;
  readonly run: RunNews | null;
  readonly session: Session;
  readonly onDone: () => void;
}

interface Props {
  site: SiteName;
  sites: readonly SiteName[];
  session: Session;
  onSignedOut: () => void;
}

export function SitePage({ site, sites, session, onSignedOut }: Props) {
  const { live, refresh } = useLive(site.site, onSignedOut);
  const { plantMs, state } = useNow(live);
  const { view, clock } = live;
  const signOut = useCallback(() => void api.signOut().finally(onSignedOut), [onSignedOut]);
  const waiting = (view?.alarms ?? []).filter(needsAcknowledgement).length;
  useEffect(() => {
    document.title = `${waiting > 0 ? `(${waiting}) ` : ""}${site.name} · Headworks`;
  }, [waiting, site.name]);
  const stale = state.state === "stale" || state.state === "bus away";

  return (
    <div className={stale ? "page stale" : "page"}>
      <Header site={site} sites={sites} session={session} onSignOut={signOut}>
        <PlantClock zone={view?.time_zone ?? "UTC"} plantMs={plantMs} speed={clock?.speed ?? 1} />
        <LinkState link={state} />
      </Header>
      <main>
        <Notices view={view} link={state} fault={live.fault} />
        {view === null || plantMs === null ? (
          <p className="asking">Loading …</p>
        ) : (
          <>
            <Approvals view={view} plantMs={plantMs} session={session} onDone={refresh} />
            <OfKind view={view} plantMs={plantMs} run={live.run} session={session} onDone={refresh} />
          </>
        )}
      </main>
    </div>
  );
}

function OfKind({ view, ...rest }: Shown<View>) {
  switch (view.model) {
    case "afterbay":
      return <AfterbayPage view={view} {...rest} />;
    case "pumping_station":
      return <StationPage view={view} {...rest} />;
  }
}
