/** The two linked charts of an afterbay, their legend, their range, and the schedule as a table for those who read it so. */
import { useMemo } from "react";

import type { AfterbayView } from "../api/types";
import { forecastAt, inputOf, writtenSetpoint } from "../model/figures";
import { digitsOf, ms, NOT_KNOWN, number, quantity, unitText, when } from "../model/format";
import { Chart, useColours } from "../parts/chart";
import { Legend, Missing, useFrame } from "../parts/chart-card";
import { elevationOption, powerOption } from "./chart-options";

const HOUR_MS = 3600 * 1000;
const RANGES = [
  { name: "1 day", past: 12, ahead: 24 },
  { name: "3 days", past: 24, ahead: 72 },
  { name: "7 days", past: 24, ahead: 168 },
] as const;

export function Charts({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  const colours = useColours();
  const { frame, buttons } = useFrame(RANGES, [0, 2], plantMs);
  const elevation = useMemo(() => elevationOption(view, frame, colours), [view, frame, colours]);
  const power = useMemo(() => powerOption(view, frame, colours), [view, frame, colours]);

  return (
    <>
      <section className="card" aria-labelledby="elevation-title">
        <h2 id="elevation-title">
          Elevation <small>{unitText(view.units.elevation)}, local time</small>
          {buttons}
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
        <Chart option={elevation} group={view.site} label={elevationInWords(view, plantMs)} />
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
        <Chart option={power} group={view.site} label={powerInWords(view)} />
        <ScheduleTable view={view} plantMs={plantMs} />
      </section>
    </>
  );
}

/** The elevation of the next day alone, for a look at all sites. */
export function SmallChart({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
  const colours = useColours();
  const { frame } = useFrame([RANGES[0]], [0, 0], plantMs);
  const option = useMemo(() => elevationOption(view, frame, colours), [view, frame, colours]);
  return <Chart option={option} group={view.site} label={elevationInWords(view, plantMs)} />;
}

function elevationInWords(view: AfterbayView, plantMs: number): string {
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

function powerInWords(view: AfterbayView): string {
  const resource = view.control?.resources[0];
  const unit = view.units.power;
  return `OXPH power: measured ${quantity(inputOf(view, "oxph_power_mw")?.value, unit)}, setpoint ${quantity(resource === undefined ? null : writtenSetpoint(resource, view.setpoints), unit)}, read-back ${quantity(resource?.read_back, unit)}. The schedule as a table follows.`;
}

const TABLE_HOURS = 48;

function ScheduleTable({ view, plantMs }: { view: AfterbayView; plantMs: number }) {
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
