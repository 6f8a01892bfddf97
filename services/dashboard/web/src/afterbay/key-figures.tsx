/** The row of an afterbay's key figures. */
import type { AfterbayView, Resource } from "../api/types";
import {
  agreement,
  forecastAt,
  inputOf,
  isStale,
  margin,
  nextRelease,
  planNow,
  trendPerHour,
  writtenSetpoint,
  type Agreement,
} from "../model/figures";
import { clockTime, duration, ms, NOT_KNOWN, number, quantity, signed, when } from "../model/format";
import { Figure, Mode, Trend, Value } from "../parts/figure";
import { Mark, type Kind } from "../parts/marks";

export function KeyFigures({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  return (
    <section className="figures" aria-label="Key figures">
      <Elevation view={view} plantMs={plantMs} />
      <Unit view={view} plantMs={plantMs} />
      <Flows view={view} plantMs={plantMs} />
      <NextRelease view={view} plantMs={plantMs} />
      <LeadAndCcs view={view} plantMs={plantMs} />
    </section>
  );
}

/** What a look at all sites shows of an afterbay. */
export function FewFigures({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  return (
    <section className="figures few" aria-label="Key figures">
      <Elevation view={view} plantMs={plantMs} />
      <Unit view={view} plantMs={plantMs} />
      <Flows view={view} plantMs={plantMs} />
      <LeadAndCcs view={view} plantMs={plantMs} />
    </section>
  );
}

function LeadAndCcs({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  const ccs = inputOf(view, "mode");
  return (
    <Mode view={view}>
      CCS {ccs?.text ?? NOT_KNOWN}
      {ccs !== undefined && isStale(ccs, plantMs) ? " (stale)" : ""}
    </Mode>
  );
}

const STANDINGS = { within: ["good", "within limits"], near: ["warning", "near a limit"], outside: ["critical", "outside its limits"] } as const;

function Elevation({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  const { limits, units } = view;
  const input = inputOf(view, "elevation_m");
  const value = input?.value ?? null;
  const trend = trendPerHour(view.elevation ?? []);
  const unit = units.elevation;
  return (
    <Figure title="Afterbay elevation" className="elevation">
      <p data-testid="elevation">
        <Value input={input} plantMs={plantMs} big />
        <Trend perHour={trend} unit={unit} />
      </p>
      {value !== null && <Level view={view} value={value} />}
      <p className="detail">
        Float {number(limits.float_elevation, 2)} {unit}{" "}
        {limits.float_source === "pi" ? "" : <em>(site file; the tag is {NOT_KNOWN})</em>}
        {value !== null && <FromForecast view={view} value={value} plantMs={plantMs} />}
      </p>
    </Figure>
  );
}

/** Where the level stands between minimum and float. */
function Level({ view, value }: { view: AfterbayView; value: number }) {
  const { limits, units } = view;
  const { toMaximum, toMinimum, standing } = margin(value, limits);
  const [kind, words] = STANDINGS[standing];
  const low = limits.minimum_elevation - 0.5;
  const high = limits.float_elevation + 0.5;
  const place = (at: number) => `${Math.min(100, Math.max(0, ((at - low) / (high - low)) * 100))}%`;
  const side = (distance: number, name: string) =>
    distance >= 0 ? `${number(distance, 2)} ${units.elevation} to ${name}` : `${number(-distance, 2)} ${units.elevation} past ${name}`;
  return (
    <>
      <div className={`level ${standing}`} aria-hidden="true">
        <i className="allowed" style={{ left: place(limits.minimum_elevation), right: `calc(100% - ${place(limits.maximum_elevation)})` }} />
        <i className="float" style={{ left: place(limits.float_elevation) }} />
        <i className="here" style={{ left: place(value) }} />
      </div>
      <p className="detail">
        <Mark kind={kind} /> {words}: {side(toMinimum, "minimum")}, {side(toMaximum, "maximum")}
      </p>
    </>
  );
}

function FromForecast({ view, value, plantMs }: { view: AfterbayView; value: number; plantMs: number }) {
  const expected = forecastAt(view.schedule?.hours ?? [], view.elevation ?? [], plantMs);
  if (expected === null) return null;
  return (
    <>
      {" "}
      · {signed(value - expected, 2)} {view.units.elevation} to forecast
    </>
  );
}

const AGREEMENTS: Record<Agreement, readonly [Kind, string]> = {
  verified: ["good", "verified"],
  differs: ["critical", "read-back differs"],
  "link lost": ["critical", "PLC link lost"],
  "nothing written": ["note", "held by the register; nothing written yet"],
  "not known": ["unknown", `read-back ${NOT_KNOWN}`],
};

function Unit({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  const resource = view.control?.resources[0];
  const name = resource?.resource ?? "OXPH";
  const plan = planNow(view.plan ?? [], plantMs);
  return (
    <Figure title={`${name} setpoint`} className="unit">
      {resource === undefined ? (
        <p>
          <b className="big unknown">{NOT_KNOWN}</b>
        </p>
      ) : (
        <Registers resource={resource} written={writtenSetpoint(resource, view.setpoints)} />
      )}
      <p className="detail">
        Measured <Value input={inputOf(view, "oxph_power_mw")} plantMs={plantMs} /> · plan{" "}
        {view.plan === null ? NOT_KNOWN : plan === null ? "none in force" : quantity(plan.target, plan.unit)}
      </p>
    </Figure>
  );
}

function Registers({ resource, written }: { resource: Resource; written: number | null }) {
  const [kind, words] = AGREEMENTS[agreement(resource, written)];
  const shown = written ?? resource.read_back;
  const troubled = resource.refused || resource.fail_safe;
  return (
    <>
      <p data-testid="setpoint">
        <b className={shown === null ? "big unknown" : "big"}>
          {shown === null ? NOT_KNOWN : number(shown, 2)}
          {shown !== null && <small> {resource.unit}</small>}
        </b>
        <span className="agreement">
          <Mark kind={kind} /> {words}
        </span>
      </p>
      <p className="detail">
        read-back {quantity(resource.read_back, resource.unit)}
        {resource.reason && !troubled ? ` · ${resource.reason}` : ""}
      </p>
      {troubled && (
        <p className="trouble">
          <Mark kind={resource.refused ? "critical" : "warning"} /> {resource.refused ? "refused" : "fail-safe"}: {resource.reason}
        </p>
      )}
    </>
  );
}

function Flows({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  return (
    <Figure title="Water and power coming in" className="flows">
      <dl>
        {(["r4_flow_m3s", "r30_flow_m3s", "mfra_power_mw"] as const).map((series) => {
          const input = inputOf(view, series);
          return (
            <div key={series}>
              <dt>{input?.label ?? series}</dt>
              <dd>
                <Value input={input} plantMs={plantMs} />
              </dd>
            </div>
          );
        })}
      </dl>
    </Figure>
  );
}

function NextRelease({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  const release = nextRelease(view.releases, plantMs);
  const zone = view.time_zone;
  if (release === null) {
    return (
      <Figure title="Next rafting release">
        <p>
          <b>None in 8 days</b>
        </p>
      </Figure>
    );
  }
  const [start, ramp] = [ms(release.start), ms(release.ramp_at)];
  const on = start <= plantMs;
  const ramping = !on && ramp <= plantMs;
  return (
    <Figure title="Next rafting release">
      <p>
        <b className="middle">
          {when(start, zone, plantMs)}–{clockTime(release.end, zone)}
        </b>
      </p>
      <p className="detail">
        {on ? (
          <>
            <Mark kind="note" /> on now, ends in {duration((ms(release.end) - plantMs) / 1000)}
          </>
        ) : (
          <>
            {ramping ? <Mark kind="note" /> : null} {ramping ? "ramp is due now" : `ramp from ${when(ramp, zone, plantMs)}`} · in{" "}
            {duration((start - plantMs) / 1000)}
          </>
        )}
      </p>
    </Figure>
  );
}
