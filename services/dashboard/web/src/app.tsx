/** Who is signed in decides what is shown: the sign-in, or the site. */
import { useCallback, useEffect, useState } from "react";

import { api, Refused } from "./api/client";
import type { Session, SiteName } from "./api/types";
import { SignIn } from "./parts/sign-in";
import { SitePage } from "./parts/site-page";

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
  const [chosen, setChosen] = useState<string | null>(null);

  useEffect(() => {
    api.sites().then(setSites, (error: unknown) => {
      if (error instanceof Refused && error.status === 401) onSignedOut();
      else setFault(String((error as Error).message));
    });
  }, [onSignedOut]);

  const site = sites?.find((s) => s.site === chosen) ?? sites?.[0];
  if (fault !== null) return <p className="asking" role="alert">{fault}</p>;
  if (site === undefined) return <p className="asking">{sites === null ? "Loading …" : "There is no site."}</p>;
  return (
    <SitePage
      key={site.site}
      site={site}
      sites={sites ?? []}
      session={session}
      onChoose={setChosen}
      onSignedOut={onSignedOut}
    />
  );
}
