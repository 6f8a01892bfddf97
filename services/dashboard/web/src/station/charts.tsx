/** The three linked charts of a station, and its schedule as a table for those who read it so. */
import { useMemo } from "react";

import type { StationView } from "../api/types";
import { inputOf } from "../model/figures";
import { digitsOf, ms, NOT_KNOWN, number, quantity, unitText, when } from "../model/format";
import { Chart, useColours } from "../parts/chart";
import { Legend, Missing, useFrame } from "../parts/chart-card";
import { flowOption, levelOption, priceOption } from "./chart-options";
import { nextEmptied, priceNow, pricesKnownUntil } from "./figures";
import { pumpsOn } from "./series";

const RANGES = [
  { name: "12 hours", past: 3, ahead: 9 },
  { name: "1 day", past: 6, ahead: 24 },
  { name: "2 days", past: 24, ahead: 24 },
] as const;

interface Props {
  view: StationView;
  plantMs: number;
}

export function Charts({ view, plantMs }: Props) {
  const colours = useColours();
  const { frame, buttons } = useFrame(RANGES, [1, 2], plantMs);
  const flowUnit = unitText(view.units.flow);
  const level = useMemo(() => levelOption(view, frame, colours), [view, frame, colours]);
  const flow = useMemo(() => flowOption(view, frame, colours, flowUnit), [view, frame, colours, flowUnit]);
  const price = useMemo(() => priceOption(view, frame, colours), [view, frame, colours]);
  return (
    <>
      <section className="card" aria-labelledby="level-title">
        <h2 id="level-title">
          Tunnel level <small>{unitText(view.units.elevation)}, local time</small>
          {buttons}
        </h2>
        <Legend entries={[["measured", "measured"], ["forecast", "forecast of the latest run"], ["limit", "limits"]]} />
        {view.schedule === null && (
          <Missing
            text={
              view.not_known.some((entry) => entry.part === "schedule and forecast")
                ? `The forecast is ${NOT_KNOWN}: the optimizer is away.`
                : "There is no forecast: no run has a schedule yet."
            }
          />
        )}
        {view.level === null && <Missing text={`The measured level is ${NOT_KNOWN}: ingest is away.`} />}
        <Chart option={level} group={view.site} label={levelInWords(view, plantMs)} />
      </section>
      <section className="card" aria-labelledby="flow-title">
        <h2 id="flow-title">
          Outflow and inflow <small>{flowUnit}, local time</small>
        </h2>
        <Legend
          entries={[
            ["measured", "outflow measured"],
            ["plan", "outflow planned"],
            ["inflow", "inflow measured"],
            ["inflow-forecast", "inflow forecast"],
            ["band", "its band"],
            ["limit", "limit of the outflow"],
          ]}
        />
        <Chart option={flow} group={view.site} label={flowInWords(view)} />
      </section>
      <section className="card low" aria-labelledby="price-title">
        <h2 id="price-title">
          Day-ahead price <small>{view.units.price}, local time</small>
        </h2>
        <Legend entries={[["measured", "published"], ["forecast", "guess of the latest run, where none is published"]]} />
        {view.prices === null && <Missing text={`Prices are ${NOT_KNOWN}: ingest is away.`} />}
        <Chart option={price} group={view.site} label={priceInWords(view, plantMs)} />
        <ScheduleTable view={view} plantMs={plantMs} />
      </section>
    </>
  );
}

/** The level of the next day alone, for a look at all sites. */
export function SmallChart({ view, plantMs }: Props) {
  const colours = useColours();
  const { frame } = useFrame([RANGES[1]], [0, 0], plantMs);
  const option = useMemo(() => levelOption(view, frame, colours), [view, frame, colours]);
  return <Chart option={option} group={view.site} label={levelInWords(view, plantMs)} />;
}

function levelInWords(view: StationView, plantMs: number): string {
  const { limits, units, schedule } = view;
  const unit = units.elevation;
  const levels = (schedule?.steps ?? []).map((s) => s.level);
  const ahead =
    levels.length === 0
      ? `The forecast is ${NOT_KNOWN}.`
      : `The forecast lies between ${number(Math.min(...levels), 2)} and ${quantity(Math.max(...levels), unit)}.`;
  const next = nextEmptied(schedule?.emptied_at ?? [], plantMs);
  const emptied = next === null ? "" : ` The tunnel is emptied ${when(next, view.time_zone, plantMs)}.`;
  return `Tunnel level: measured ${quantity(inputOf(view, "tunnel_level_m")?.value, unit)}. ${ahead}${emptied} Alarm at ${number(limits.alarm_level, 1)}, maximum ${quantity(limits.maximum_level, unit, 1)}.`;
}

function flowInWords(view: StationView): string {
  const unit = view.units.flow;
  const digits = digitsOf(unit);
  const measured = (series: string) => quantity(inputOf(view, series)?.value, unit, digits);
  return `Outflow: measured ${measured("station_outflow_m3s")}, at most ${quantity(view.limits.maximum_outflow, unit, digits)}. Inflow: measured ${measured("tunnel_inflow_m3s")}. The schedule as a table follows.`;
}

function priceInWords(view: StationView, plantMs: number): string {
  const prices = view.prices ?? [];
  const until = pricesKnownUntil(prices, plantMs);
  const known = until === null ? `Later prices are ${NOT_KNOWN}.` : `Prices are published to ${when(until, view.time_zone, plantMs)}.`;
  return `Day-ahead price: now ${quantity(priceNow(prices, plantMs), view.units.price)}. ${known}`;
}

function ScheduleTable({ view, plantMs }: Props) {
  const { units } = view;
  const steps = (view.schedule?.steps ?? []).filter((s) => ms(s.end) > plantMs);
  if (steps.length === 0) return null;
  const flow = (value: number) => number(value, digitsOf(units.flow));
  return (
    <details>
      <summary>Schedule of the next {steps.length} quarter hours as a table</summary>
      <div className="scroll" tabIndex={0} role="region" aria-label="Schedule as a table">
        <table>
          <thead>
            <tr>
              <th scope="col">From</th>
              <th scope="col" className="value">Pumps on</th>
              <th scope="col" className="value">Outflow {unitText(units.flow)}</th>
              <th scope="col" className="value">Inflow {unitText(units.flow)}</th>
              <th scope="col" className="value">Level at its end {unitText(units.elevation)}</th>
              <th scope="col" className="value">Price {units.price}</th>
              <th scope="col" className="value">Cost EUR</th>
            </tr>
          </thead>
          <tbody>
            {steps.map((step) => (
              <tr key={step.start}>
                <th scope="row">{when(step.start, view.time_zone, plantMs)}</th>
                <td className="value">{pumpsOn(step)}</td>
                <td className="value">{flow(step.outflow)}</td>
                <td className="value">
                  {flow(step.inflow)}
                  <small>
                    {" "}
                    {flow(step.inflow_low)}–{flow(step.inflow_high)}
                  </small>
                </td>
                <td className="value">{number(step.level, 2)}</td>
                <td className="value">
                  {number(step.price, 2)}
                  {!step.price_known && <small> guess</small>}
                </td>
                <td className="value">{number(step.cost_eur, 2)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
