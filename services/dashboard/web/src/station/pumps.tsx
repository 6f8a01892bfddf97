/** The pumps, one a row: how each stands now, what its registers hold, and its plan of the next 24 hours as a strip. */
import type { StationView } from "../api/types";
import { agreement, writtenSetpoint, type Agreement } from "../model/figures";
import { clockTime, digitsOf, localTicks, NOT_KNOWN, number, quantity, when } from "../model/format";
import { Mark, type Kind } from "../parts/marks";
import { askedInVain, pumpNow, type PumpNow } from "./figures";
import { inWords, strip, type Piece } from "./strip";

const AHEAD_MS = 24 * 3600 * 1000;
const QUARTER_HOUR_MS = 15 * 60 * 1000;
/** What the label of an hour takes of the strip's time. */
const LABEL_MS = 2 * 3600 * 1000;
/** A piece at least so wide has room for its speed. */
const LABELLED = 0.055;
const AGREEMENTS: Record<Agreement, readonly [Kind, string]> = {
  verified: ["good", "verified"],
  differs: ["critical", "read-back differs"],
  "link lost": ["critical", "PLC link lost"],
  "nothing written": ["note", "nothing written yet"],
  "not known": ["unknown", NOT_KNOWN],
};

interface Props {
  view: StationView;
  plantMs: number;
}

export function Pumps({ view, plantMs }: Props) {
  const startMs = Math.floor(plantMs / QUARTER_HOUR_MS) * QUARTER_HOUR_MS;
  return (
    <section className="card pumps" aria-labelledby="pumps-title">
      <h2 id="pumps-title">
        Pumps <small>plan of the next 24 hours, local time</small>
        <Scale view={view} />
      </h2>
      {view.plan === null && <p className="unknown">The plan is {NOT_KNOWN}: the plans service is away.</p>}
      <table>
        <thead>
          <tr>
            <th scope="col">Pump</th>
            <th scope="col">Now</th>
            <th scope="col" className="value">Setpoint</th>
            <th scope="col">Read-back</th>
            <th scope="col" className="strip-cell">
              <span className="visually-hidden">Plan</span>
              <Hours view={view} startMs={startMs} />
            </th>
          </tr>
        </thead>
        <tbody>
          {view.pumps.map((pump) => (
            <Row key={pump.resource} view={view} now={pumpNow(view, pump, plantMs)} startMs={startMs} plantMs={plantMs} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** What the strips' heights and shades mean. */
function Scale({ view }: { view: StationView }) {
  const { minimum_frequency: low, maximum_frequency: high } = view.limits;
  return (
    <ul className="legend" aria-label="Speeds">
      <li><i className="key off" /> off</li>
      <li><i className="key slow" /> {number(low, 1)} Hz</li>
      <li><i className="key fast" /> {number(high, 1)} Hz</li>
      <li><i className="key unplanned" /> not planned</li>
    </ul>
  );
}

function Hours({ view, startMs }: { view: StationView; startMs: number }) {
  const ticks = localTicks(startMs, startMs + AHEAD_MS - LABEL_MS, view.time_zone, 6);
  return (
    <span className="hours" aria-hidden="true">
      {ticks.map((at) => (
        <i key={at} style={{ left: `${((at - startMs) / AHEAD_MS) * 100}%` }}>
          {clockTime(at, view.time_zone)}
        </i>
      ))}
    </span>
  );
}

function Row({ view, now, startMs, plantMs }: Props & { now: PumpNow; startMs: number }) {
  const { pump, resource } = now;
  const written = resource === undefined ? null : writtenSetpoint(resource, view.setpoints);
  const [kind, words] = resource === undefined ? AGREEMENTS["not known"] : AGREEMENTS[agreement(resource, written)];
  const asked = askedInVain(now);
  const pieces = strip(view.plan ?? [], pump.resource, startMs, startMs + AHEAD_MS, view.limits);
  return (
    <tr data-testid={`pump-${pump.resource}`}>
      <th scope="row">
        <b>{pump.name}</b> <small>{pump.make}</small>
      </th>
      <td data-label="Now">
        <Running now={now} view={view} plantMs={plantMs} />
        {asked !== null && (
          <small className="asked">
            <Mark kind="note" /> the plan asks {asked > 0 ? quantity(asked, "Hz") : "to stand"}: {resource?.reason}
          </small>
        )}
      </td>
      <td className="value" data-label="Setpoint">{resource === undefined ? NOT_KNOWN : resource.run_commanded === false ? "stand" : setpointText(written)}</td>
      <td data-label="Read-back">
        <Mark kind={kind} /> {quantity(resource?.read_back, "Hz")} <small>{words}</small>
        {resource !== undefined && (resource.refused || resource.fail_safe) && (
          <span className="trouble">
            {" "}
            <Mark kind={resource.refused ? "critical" : "warning"} /> {resource.refused ? "refused" : "fail-safe"}: {resource.reason}
          </span>
        )}
      </td>
      <td className="strip-cell">
        <Strip pieces={pieces} zone={view.time_zone} name={pump.name} />
      </td>
    </tr>
  );
}

/** The speed that was last written. */
function setpointText(hz: number | null): string {
  return hz === null ? "none yet" : quantity(hz, "Hz");
}

function Running({ now, view, plantMs }: Props & { now: PumpNow }) {
  if (now.running === null) {
    return (
      <span className="unknown">
        <Mark kind="unknown" /> {NOT_KNOWN}
      </span>
    );
  }
  const ordered = now.resource?.run_commanded ?? now.running;
  const turning = ordered === now.running ? null : <small> ordered to {ordered ? "run" : "stand"}</small>;
  const since = now.resource?.run_since ? <small> since {when(now.resource.run_since, view.time_zone, plantMs)}</small> : null;
  if (!now.running) {
    return (
      <span className="standing">
        standing{since}
        {turning}
      </span>
    );
  }
  return (
    <span>
      <i className="turning" aria-hidden="true" /> runs <b>{quantity(now.hz, "Hz")}</b>{" "}
      <small>{quantity(now.power?.value, view.units.power, digitsOf(view.units.power))}</small>
      {since}
      {turning}
    </span>
  );
}

/** How high and how strong a speed is drawn. */
function heatOf(speed: number): object {
  return { height: `${60 + 40 * speed}%`, "--heat": `${20 + 32 * speed}%` };
}

interface StripProps {
  pieces: readonly Piece[];
  zone: string;
  name: string;
}

function Strip({ pieces, zone, name }: StripProps) {
  const words = pieces.map((piece) => inWords(piece, zone)).join(", ");
  return (
    <div className="strip" role="img" aria-label={`Plan of pump ${name}: ${words}`}>
      {pieces.map((piece) => (
        <i
          key={piece.startMs}
          className={piece.kind}
          title={inWords(piece, zone)}
          style={{
            left: `${piece.from * 100}%`,
            width: `${(piece.to - piece.from) * 100}%`,
            ...(piece.kind === "on" ? heatOf(piece.speed) : {}),
          }}
        >
          {piece.kind === "on" && piece.to - piece.from >= LABELLED ? number(piece.hz, 1) : ""}
        </i>
      ))}
    </div>
  );
}
