/** Where one is, the plant's clock in local time and UTC, how fresh the link is, who is signed in. */
import type { ReactNode } from "react";

import type { Session, SiteName } from "../api/types";
import type { Link } from "../model/clock";
import { clockTime, day, duration, NOT_KNOWN, zoneName } from "../model/format";
import { addressOf } from "../route";
import { Logo, Mark, type Kind } from "./marks";

interface Props {
  /** The site that is shown; null where all are. */
  site: SiteName | null;
  sites: readonly SiteName[];
  session: Session;
  onSignOut: () => void;
  /** The clock and the link. */
  children?: ReactNode;
}

export function Header({ site, sites, session, onSignOut, children }: Props) {
  return (
    <header className="bar">
      <div className="site">
        <Logo />
        {sites.length > 1 ? <Places site={site} sites={sites} /> : <h1>{site?.name}</h1>}
      </div>
      {children}
      <div className="user">
        <span>
          {session.name} <small>{session.role}</small>
        </span>
        <button type="button" onClick={onSignOut}>
          Sign out
        </button>
      </div>
    </header>
  );
}

/** Links to all sites and to each of them. */
function Places({ site, sites }: Pick<Props, "site" | "sites">) {
  return (
    <nav aria-label="Sites">
      <ul>
        <li>
          <a href={addressOf(null)} aria-current={site === null ? "page" : undefined}>
            All sites
          </a>
        </li>
        {sites.map((s) => (
          <li key={s.site}>
            <a href={addressOf(s.site)} aria-current={s.site === site?.site ? "page" : undefined}>
              {s.name}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}

export function PlantClock({ zone, plantMs, speed }: { zone: string; plantMs: number | null; speed: number }) {
  if (plantMs === null) return <p className="clock">Plant time {NOT_KNOWN}</p>;
  return (
    <p className="clock">
      <span className="visually-hidden">Plant time </span>
      <time dateTime={new Date(plantMs).toISOString()}>
        {day(plantMs, zone)} <b>{clockTime(plantMs, zone)}</b> {zoneName(plantMs, zone)}
      </time>
      <small>
        {clockTime(plantMs, "UTC")} UTC
        {speed !== 1 && (
          <>
            {" "}
            · {speed}×<span className="simulated"> speed, simulated</span>
          </>
        )}
      </small>
    </p>
  );
}

const LINKS: Record<Link["state"], readonly [Kind, string]> = {
  connecting: ["unknown", "Connecting"],
  live: ["good", "Live"],
  "bus away": ["warning", "Bus away"],
  stale: ["critical", "Stale"],
};

export function LinkState({ link }: { link: Link }) {
  const [kind, text] = LINKS[link.state];
  return (
    <p className={`link ${link.state.replace(" ", "-")}`} data-testid="link">
      <Mark kind={kind} />
      <span role="status">{text}</span>
      {link.state !== "connecting" && <small>last news {duration(link.silentS)} ago</small>}
    </p>
  );
}
