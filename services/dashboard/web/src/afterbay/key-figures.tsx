/** The row of key figures. Each says how far it may be trusted: stale and unknown values are marked in words. */
import type { ReactNode } from "react";

import type { Input, Resource, View } from "../api/types";
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
import { age, clockTime, digitsOf, duration, ms, NOT_KNOWN, number, quantity, signed, unitText, when } from "../model/format";
import { Mark, type Kind } from "./marks";

export function KeyFigures({ view, plantMs }: { view: View; plantMs: number }) {
  return (
    <section className="figures" aria-label="Key figures">
      <Elevation view={view} plantMs={plantMs} />
      <Unit view={view} plantMs={plantMs} />
      <Flows view={view} plantMs={plantMs} />
      <NextRelease view={view} plantMs={plantMs} />
      <Mode view={view} plantMs={plantMs} />
    </section>
  );
}

function Figure({ title, className = "", children }: { title: string; className?: string; children: ReactNode }) {
  return (
    <article className={`figure ${className}`}>
      <h2>{title}</h2>
      {children}
    </article>
  );
}

/** The value of an input with its mark: good ones need none. */
function Value({ input, plantMs, big = false }: { input: Input | undefined; plantMs: number; big?: boolean }) {
  if (input === undefined) return <b className={big ? "big unknown" : "unknown"}>{NOT_KNOWN}</b>;
  const known = input.value !== null;
  const trouble = !known || isStale(input, plantMs) || input.quality !== "GOOD";
  return (
    <>
      <b className={`${big ? "big " : ""}${known ? "" : "unknown"}`}>
        {known && input.value !== null ? number(input.value, digitsOf(input.unit)) : NOT_KNOWN}
        {known && <small> {unitText(input.unit)}</small>}
      </b>
      {trouble && <Trouble input={input} plantMs={plantMs} />}
    </>
  );
}

function Trouble({ input, plantMs }: { input: Input; plantMs: number }) {
  const good = input.last_good ?? null;
  const text =
    input.value === null
      ? `${input.quality.toLowerCase()}${good ? `; last ${quantity(good.value, input.unit, digitsOf(input.unit))}, ${age(good.at, plantMs)}` : ""}`
      : isStale(input, plantMs)
        ? `stale, ${age(input.valid_at, plantMs)}`
        : input.quality.toLowerCase();
  return (
    <span className="trouble">
      <Mark kind="warning" /> {text}
    </span>
  );
}

const STANDINGS = { within: ["good", "within limits"], near: ["warning", "near a limit"], outside: ["critical", "outside its limits"] } as const;

function Elevation({ view, plantMs }: { view: View; plantMs: number }) {
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

function Trend({ perHour, unit }: { perHour: number | null; unit: string }) {
  if (perHour === null) return <span className="trend">trend {NOT_KNOWN}</span>;
  const flat = Math.abs(perHour) < 0.02;
  const turn = flat ? 90 : perHour > 0 ? 45 : 135;
  return (
    <span className="trend">
      <svg viewBox="0 0 16 16" className="arrow" aria-hidden="true" style={{ rotate: `${turn}deg` }}>
        <path d="M8 14V2.500M3.500 7 8 2.500 12.500 7" />
      </svg>
      {flat ? "steady" : perHour > 0 ? "rising" : "falling"} {signed(perHour, 2)} {unit}/h
    </span>
  );
}

/** Where the level stands between minimum and float. */
function Level({ view, value }: { view: View; value: number }) {
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

function FromForecast({ view, value, plantMs }: { view: View; value: number; plantMs: number }) {
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

function Unit({ view, plantMs }: { view: View; plantMs: number }) {
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

function Flows({ view, plantMs }: { view: View; plantMs: number }) {
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

function NextRelease({ view, plantMs }: { view: View; plantMs: number }) {
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

const MODES = { auto: "Auto", manual: "Manual", off: "Off" } as const;
const LEADS = { auto: "the plan leads", manual: "a person leads", off: "nobody leads" } as const;

function Mode({ view, plantMs }: { view: View; plantMs: number }) {
  const control = view.control;
  const ccs = inputOf(view, "mode");
  return (
    <Figure title="Mode">
      <p data-testid="mode">
        {control === null ? (
          <b className="unknown">{NOT_KNOWN}</b>
        ) : (
          <b className="middle">
            {control.e_stop ? (
              <>
                <Mark kind="critical" /> E-stop
              </>
            ) : (
              MODES[control.mode]
            )}
          </b>
        )}
      </p>
      <p className="detail">
        {control !== null && `${LEADS[control.mode]} · `}CCS {ccs?.text ?? NOT_KNOWN}
        {ccs !== undefined && isStale(ccs, plantMs) ? " (stale)" : ""}
      </p>
    </Figure>
  );
}
