/** The row of a station's key figures. */
import type { StationLimits, StationView } from "../api/types";
import { between, inputOf, trendPerHour } from "../model/figures";
import { age, digitsOf, duration, ms, NOT_KNOWN, number, quantity, signed, unitText, when } from "../model/format";
import { Figure, Mode, Trend, Value } from "../parts/figure";
import { Mark, type Kind } from "../parts/marks";
import { lastEmptied, levelStanding, nextEmptied, powerNow, priceNow, pricesKnownUntil, pumpNow, stepNow, type LevelStanding } from "./figures";
import { levelForecast, pumpsOn } from "./series";

interface Props {
  view: StationView;
  plantMs: number;
}

export function KeyFigures({ view, plantMs }: Props) {
  return (
    <section className="figures station" aria-label="Key figures">
      <Level view={view} plantMs={plantMs} />
      <Flows view={view} plantMs={plantMs} />
      <Pumps view={view} plantMs={plantMs} />
      <Energy view={view} plantMs={plantMs} />
      <Emptying view={view} plantMs={plantMs} />
      <Mode view={view} />
    </section>
  );
}

/** What a look at all sites shows of a station. */
export function FewFigures({ view, plantMs }: Props) {
  return (
    <section className="figures few" aria-label="Key figures">
      <Level view={view} plantMs={plantMs} />
      <Pumps view={view} plantMs={plantMs} />
      <Flows view={view} plantMs={plantMs} />
      <Mode view={view} />
    </section>
  );
}

const STANDINGS: Record<LevelStanding, readonly [Kind, string]> = {
  emptied: ["good", "emptied"],
  within: ["good", "within limits"],
  near: ["warning", "near the alarm level"],
  alarm: ["warning", "above the alarm level"],
  over: ["critical", "above its maximum"],
};

function Level({ view, plantMs }: Props) {
  const value = inputOf(view, "tunnel_level_m")?.value ?? null;
  return (
    <Figure title="Tunnel level" className="elevation">
      <p data-testid="level">
        <Value input={inputOf(view, "tunnel_level_m")} plantMs={plantMs} big />
        <Trend perHour={trendPerHour(view.level ?? [])} unit={view.units.elevation} />
      </p>
      {value !== null && <Standing value={value} limits={view.limits} />}
      {value !== null && <Distances view={view} value={value} plantMs={plantMs} />}
    </Figure>
  );
}

function Standing({ value, limits }: { value: number; limits: StationLimits }) {
  const top = limits.maximum_level * 1.05;
  const place = (at: number) => `${Math.min(100, Math.max(0, (at / top) * 100))}%`;
  const standing = levelStanding(value, limits);
  return (
    <div className={`level ${standing === "over" ? "outside" : ""}`} aria-hidden="true">
      <i className="allowed" style={{ left: place(limits.minimum_level), right: `calc(100% - ${place(limits.maximum_level)})` }} />
      <i className="float" style={{ left: place(limits.emptied_level) }} />
      <i className="float" style={{ left: place(limits.alarm_level) }} />
      <i className="here" style={{ left: place(value) }} />
    </div>
  );
}

function Distances({ view, value, plantMs }: Props & { value: number }) {
  const { limits, units } = view;
  const [kind, words] = STANDINGS[levelStanding(value, limits)];
  const expected = between(levelForecast(view.schedule?.steps ?? [], view.level ?? []), plantMs);
  const to = (limit: number, name: string) =>
    limit >= value ? `${number(limit - value, 2)} ${units.elevation} to ${name}` : `${number(value - limit, 2)} ${units.elevation} past ${name}`;
  return (
    <p className="detail">
      <Mark kind={kind} /> {words}: {to(limits.alarm_level, "alarm")}, {to(limits.maximum_level, "maximum")}
      {expected !== null && ` · ${signed(value - expected, 2)} ${units.elevation} to forecast`}
    </p>
  );
}

function Flows({ view, plantMs }: Props) {
  const step = stepNow(view.schedule?.steps ?? [], plantMs);
  const unit = view.units.flow;
  const digits = digitsOf(unit);
  return (
    <Figure title="Water" className="flows">
      <dl>
        <div>
          <dt>Inflow</dt>
          <dd>
            <Value input={inputOf(view, "tunnel_inflow_m3s")} plantMs={plantMs} />
          </dd>
        </div>
        <div>
          <dt>Outflow</dt>
          <dd>
            <Value input={inputOf(view, "station_outflow_m3s")} plantMs={plantMs} />
          </dd>
        </div>
        <div>
          <dt>Outflow planned</dt>
          <dd>
            <b className={step === null ? "unknown" : ""}>{step === null ? NOT_KNOWN : number(step.outflow, digits)}</b>
            {step !== null && <small> {unitText(unit)}</small>}
          </dd>
        </div>
        <div>
          <dt>Outflow at most</dt>
          <dd>{quantity(view.limits.maximum_outflow, unit, digits)}</dd>
        </div>
      </dl>
    </Figure>
  );
}

function Pumps({ view, plantMs }: Props) {
  const pumps = view.pumps.map((pump) => pumpNow(view, pump, plantMs));
  const running = pumps.filter((p) => p.running === true);
  const unknown = pumps.filter((p) => p.running === null).length;
  const step = stepNow(view.schedule?.steps ?? [], plantMs);
  return (
    <Figure title="Pumps running">
      <p data-testid="pumps">
        <b className={unknown === pumps.length ? "big unknown" : "big"}>
          {unknown === pumps.length ? NOT_KNOWN : running.length}
          {unknown < pumps.length && <small> of {pumps.length}</small>}
        </b>
        {unknown > 0 && unknown < pumps.length && (
          <span className="trouble">
            <Mark kind="unknown" /> {unknown} {NOT_KNOWN}
          </span>
        )}
      </p>
      <p className="detail">
        {running.length > 0 && `${running.map((p) => p.pump.name).join(", ")} · `}
        {quantity(powerNow(pumps, plantMs), view.units.power, digitsOf(view.units.power))} · plan {step === null ? NOT_KNOWN : pumpsOn(step)}
      </p>
    </Figure>
  );
}

function Energy({ view, plantMs }: Props) {
  const { schedule, units } = view;
  const until = pricesKnownUntil(view.prices ?? [], plantMs);
  return (
    <Figure title="Energy">
      <p>
        <b className="middle">{quantity(priceNow(view.prices ?? [], plantMs), units.price)}</b>
      </p>
      <p className="detail">
        plan {quantity(schedule?.energy_cost_eur, "EUR", 0)} for {quantity(schedule?.energy_mwh, "MWh", 1)}
      </p>
      <p className="detail">
        {until === null ? (
          <>
            <Mark kind="unknown" /> the price of now is {NOT_KNOWN}
          </>
        ) : (
          `prices known to ${when(until, view.time_zone, plantMs)}`
        )}
      </p>
    </Figure>
  );
}

function Emptying({ view, plantMs }: Props) {
  const next = nextEmptied(view.schedule?.emptied_at ?? [], plantMs);
  const last = lastEmptied(view.level ?? [], view.limits);
  const level = quantity(view.limits.emptied_level, unitText(view.units.elevation), 1);
  return (
    <Figure title="Emptied next">
      <p data-testid="emptied">
        <b className={view.schedule === null ? "middle unknown" : "middle"}>
          {view.schedule === null ? NOT_KNOWN : next === null ? "Not in this plan" : when(next, view.time_zone, plantMs)}
        </b>
      </p>
      <p className="detail">
        {next !== null && `in ${duration((ms(next) - plantMs) / 1000)}, to ${level}`}
        {next === null && `to ${level}`}
      </p>
      <p className="detail">{last === null ? "not in the last day" : `last ${age(last, plantMs)}`}</p>
    </Figure>
  );
}
