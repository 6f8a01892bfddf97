/** Site, the plant's clock in local time and UTC, how fresh the link is, who is signed in. */
import type { Session, SiteName } from "../api/types";
import type { Link } from "../model/clock";
import { clockTime, day, duration, NOT_KNOWN, zoneName } from "../model/format";
import { Logo, Mark, type Kind } from "./marks";

interface Props {
  site: SiteName;
  sites: readonly SiteName[];
  zone: string;
  plantMs: number | null;
  speed: number;
  link: Link;
  session: Session;
  onChoose: (site: string) => void;
  onSignOut: () => void;
}

export function Header({ site, sites, zone, plantMs, speed, link, session, onChoose, onSignOut }: Props) {
  return (
    <header className="bar">
      <div className="site">
        <Logo />
        {sites.length > 1 ? (
          <select aria-label="Site" value={site.site} onChange={(event) => onChoose(event.target.value)}>
            {sites.map((s) => (
              <option key={s.site} value={s.site}>
                {s.name}
              </option>
            ))}
          </select>
        ) : (
          <h1>{site.name}</h1>
        )}
      </div>
      <PlantClock zone={zone} plantMs={plantMs} speed={speed} />
      <LinkState link={link} />
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

function PlantClock({ zone, plantMs, speed }: { zone: string; plantMs: number | null; speed: number }) {
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

function LinkState({ link }: { link: Link }) {
  const [kind, text] = LINKS[link.state];
  return (
    <p className={`link ${link.state.replace(" ", "-")}`} data-testid="link">
      <Mark kind={kind} />
      <span role="status">{text}</span>
      {link.state !== "connecting" && <small>last news {duration(link.silentS)} ago</small>}
    </p>
  );
}
