/** All sites side by side. */
import { useCallback, useEffect, useState } from "react";

import { api } from "../api/client";
import type { Session, SiteName } from "../api/types";
import { Header } from "../parts/header";
import { SitePanel } from "./site-panel";

interface Props {
  sites: readonly SiteName[];
  session: Session;
  onSignedOut: () => void;
}

export function Overview({ sites, session, onSignedOut }: Props) {
  const [waiting, setWaiting] = useState<Record<string, number>>({});
  const signOut = useCallback(() => void api.signOut().finally(onSignedOut), [onSignedOut]);
  const tell = useCallback((site: string, count: number) => setWaiting((known) => ({ ...known, [site]: count })), []);
  const total = Object.values(waiting).reduce((sum, count) => sum + count, 0);
  useEffect(() => {
    document.title = `${total > 0 ? `(${total}) ` : ""}All sites · Headworks`;
  }, [total]);
  return (
    <div className="page">
      <Header site={null} sites={sites} session={session} onSignOut={signOut} />
      <main>
        {sites.length === 0 && <p className="asking">There is no site.</p>}
        <div className="sites">
          {sites.map((site) => (
            <SitePanel key={site.site} site={site} session={session} onSignedOut={onSignedOut} onWaiting={tell} />
          ))}
        </div>
      </main>
    </div>
  );
}
