/** The two linked charts, their legend, their range, and the schedule as a table for those who read it so. */
import { useMemo, useState } from "react";

import type { View } from "../api/types";
import { forecastAt, inputOf, writtenSetpoint } from "../model/figures";
import { digitsOf, ms, NOT_KNOWN, number, quantity, unitText, when } from "../model/format";
import { Chart, useColours, useNarrow } from "./chart";
import { elevationOption, powerOption, type Frame } from "./chart-options";

const HOUR_MS = 3600 * 1000;
const RANGES = [
  { name: "1 day", past: 12, ahead: 24 },
  { name: "3 days", past: 24, ahead: 72 },
  { name: "7 days", past: 24, ahead: 168 },
] as const;
/** The line of now moves in so many steps across a chart. */
const NOW_STEPS = 600;

export function Charts({ view, plantMs }: { view: View; plantMs: number }) {
  const narrow = useNarrow();
  const colours = useColours();
  const [chosen, setChosen] = useState<number | null>(null);
  const range = RANGES[chosen ?? (narrow ? 0 : 2)] ?? RANGES[2];
  const step = ((range.past + range.ahead) * HOUR_MS) / NOW_STEPS;
  const nowMs = Math.floor(plantMs / step) * step;
  const frame = useMemo<Frame>(() => {
    const hour = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
    return { startMs: hour - range.past * HOUR_MS, endMs: hour + range.ahead * HOUR_MS, nowMs, narrow };
  }, [nowMs, range, narrow]);
  const elevation = useMemo(() => elevationOption(view, frame, colours), [view, frame, colours]);
  const power = useMemo(() => powerOption(view, frame, colours), [view, frame, colours]);

  return (
    <div className="charts">
      <section className="card" aria-labelledby="elevation-title">
        <h2 id="elevation-title">
          Elevation <small>{unitText(view.units.elevation)}, local time</small>
          <span className="ranges" role="group" aria-label="Range of the charts">
            {RANGES.map((r, i) => (
              <button key={r.name} type="button" aria-pressed={r === range} onClick={() => setChosen(i)}>
                {r.name}
              </button>
            ))}
          </span>
        </h2>
        <Legend entries={[["measured", "measured"], ["forecast", "forecast of the latest run"], ["limit", "limits"], ["award", "MFRA award"]]} />
        {view.schedule === null && (
          <Missing
            text={
              view.not_known.some((entry) => entry.part === "schedule and forecast")
                ? `The forecast is ${NOT_KNOWN}: the optimizer is away.`
                : "There is no forecast: no run has a schedule yet."
            }
          />
        )}
        {view.elevation === null && <Missing text={`The measured elevation is ${NOT_KNOWN}: ingest is away.`} />}
        <Chart option={elevation} group="plant" label={elevationInWords(view, plantMs)} />
      </section>
      <section className="card" aria-labelledby="power-title">
        <h2 id="power-title">
          OXPH <small>{unitText(view.units.power)}, local time</small>
        </h2>
        <Legend
          entries={[
            ["measured", "measured"],
            ["setpoint", "setpoint"],
            ["read-back", "read-back"],
            ["plan", "plan in force"],
            ["forecast", "schedule of the latest run"],
            ["release", "rafting release"],
          ]}
        />
        {view.plan === null && <Missing text={`The plan is ${NOT_KNOWN}: the plans service is away.`} />}
        <Chart option={power} group="plant" label={powerInWords(view)} />
        <ScheduleTable view={view} plantMs={plantMs} />
      </section>
    </div>
  );
}

function Missing({ text }: { text: string }) {
  return <p className="unknown">{text}</p>;
}

function Legend({ entries }: { entries: readonly (readonly [string, string])[] }) {
  return (
    <ul className="legend" aria-hidden="true">
      {entries.map(([kind, text]) => (
        <li key={kind}>
          <i className={`stroke ${kind}`} />
          {text}
        </li>
      ))}
    </ul>
  );
}

function elevationInWords(view: View, plantMs: number): string {
  const { limits, units } = view;
  const input = inputOf(view, "elevation_m");
  const hours = view.schedule?.hours ?? [];
  const levels = hours.map((h) => h.elevation);
  const ahead =
    levels.length === 0
      ? `The forecast is ${NOT_KNOWN}.`
      : `The forecast lies between ${number(Math.min(...levels), 2)} and ${quantity(Math.max(...levels), units.elevation)}; in 24 hours ${quantity(forecastAt(hours, [], plantMs + 24 * HOUR_MS), units.elevation)}.`;
  return `Elevation: measured ${quantity(input?.value, units.elevation)}. ${ahead} Limits ${number(limits.minimum_elevation, 2)} to ${quantity(limits.maximum_elevation, units.elevation)}, float ${number(limits.float_elevation, 2)}.`;
}

function powerInWords(view: View): string {
  const resource = view.control?.resources[0];
  const unit = view.units.power;
  return `OXPH power: measured ${quantity(inputOf(view, "oxph_power_mw")?.value, unit)}, setpoint ${quantity(resource === undefined ? null : writtenSetpoint(resource, view.setpoints), unit)}, read-back ${quantity(resource?.read_back, unit)}. The schedule as a table follows.`;
}

const TABLE_HOURS = 48;

function ScheduleTable({ view, plantMs }: { view: View; plantMs: number }) {
  const { units } = view;
  const hours = (view.schedule?.hours ?? []).filter((h) => ms(h.end) > plantMs).slice(0, TABLE_HOURS);
  if (hours.length === 0) return null;
  return (
    <details>
      <summary>Schedule of the next {hours.length} hours as a table</summary>
      <div className="scroll" tabIndex={0} role="region" aria-label="Schedule as a table">
        <table>
          <thead>
            <tr>
              <th scope="col">Hour from</th>
              <th scope="col" className="value">Setpoint {unitText(units.power)}</th>
              <th scope="col" className="value">Elevation at its end {unitText(units.elevation)}</th>
              <th scope="col" className="value">Inflow {unitText(units.flow)}</th>
              <th scope="col" className="value">Spill {unitText(units.flow)}</th>
            </tr>
          </thead>
          <tbody>
            {hours.map((hour) => (
              <tr key={hour.start}>
                <th scope="row">{when(hour.start, view.time_zone, plantMs)}</th>
                <td className="value">{number(hour.setpoint, 2)}</td>
                <td className="value">{number(hour.elevation, 2)}</td>
                <td className="value">{number(hour.inflow, digitsOf(units.flow))}</td>
                <td className="value">{number(hour.spill, digitsOf(units.flow))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </details>
  );
}
