/** Who is signed in decides what is shown: the sign-in, all sites, or the site that the address names. */
import { useCallback, useEffect, useState } from "react";

import { api, Refused } from "./api/client";
import type { Session, SiteName } from "./api/types";
import { Overview } from "./overview/overview";
import { SignIn } from "./parts/sign-in";
import { SitePage } from "./parts/site-page";
import { useSiteOfAddress } from "./route";

/** Whether to ask for a session at the start; the session itself is in a cookie that this page cannot read. */
const HINT = "headworks-signed-in";

type Who = "asking" | "nobody" | Session;

export function App() {
  const [who, setWho] = useState<Who>("asking");
  const [fault, setFault] = useState<string | null>(null);
  const signedIn = useCallback((session: Session) => {
    localStorage.setItem(HINT, "yes");
    setWho(session);
  }, []);
  const signedOut = useCallback(() => {
    localStorage.removeItem(HINT);
    setWho("nobody");
  }, []);

  useEffect(() => {
    if (localStorage.getItem(HINT) === null) {
      setWho("nobody");
      return;
    }
    api.session().then(setWho, (error: unknown) => {
      signedOut();
      if (!(error instanceof Refused && error.status === 401)) setFault(String((error as Error).message));
    });
  }, [signedOut]);

  if (who === "asking") return <p className="asking">Loading …</p>;
  if (who === "nobody") return <SignIn fault={fault} onSignedIn={signedIn} />;
  return <Sites session={who} onSignedOut={signedOut} />;
}

function Sites({ session, onSignedOut }: { session: Session; onSignedOut: () => void }) {
  const [sites, setSites] = useState<SiteName[] | null>(null);
  const [fault, setFault] = useState<string | null>(null);
  const named = useSiteOfAddress();

  useEffect(() => {
    api.sites().then(setSites, (error: unknown) => {
      if (error instanceof Refused && error.status === 401) onSignedOut();
      else setFault(String((error as Error).message));
    });
  }, [onSignedOut]);

  if (fault !== null) return <p className="asking" role="alert">{fault}</p>;
  if (sites === null) return <p className="asking">Loading …</p>;
  const site = sites.find((s) => s.site === named) ?? (sites.length === 1 ? sites[0] : undefined);
  if (site === undefined) return <Overview sites={sites} session={session} onSignedOut={onSignedOut} />;
  return <SitePage key={site.site} site={site} sites={sites} session={session} onSignedOut={onSignedOut} />;
}
