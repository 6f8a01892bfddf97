/** What a station's schedule says: what it costs, how the run was tuned and why, and what had to give way. */
import type { StationSchedule, StationView, Tuning } from "../api/types";
import { NOT_KNOWN, number, quantity, when } from "../model/format";
import { Mark, type Kind } from "../parts/marks";
import { Fact, Objective } from "../parts/run-card";

const SHOWN = 5;

export function RunDetails({ schedule, view, plantMs }: { schedule: StationSchedule; view: StationView; plantMs: number }) {
  const until = schedule.prices_known_until;
  const seconds = (value: number | null) => quantity(value, "s");
  return (
    <>
      <dl className="facts">
        <Fact name="Next action" value={schedule.next_action || NOT_KNOWN} />
        <Fact name="Energy cost" value={quantity(schedule.energy_cost_eur, "EUR")} />
        <Fact name="Energy" value={quantity(schedule.energy_mwh, "MWh")} />
        <Fact name="Starts" value={String(schedule.starts)} />
        <Fact name="Gap" value={schedule.gap === null ? NOT_KNOWN : `${number(schedule.gap * 100, 2)} %`} />
        <Fact name="First plan, whole run" value={`${seconds(schedule.first_plan_s)}, ${seconds(schedule.run_time_s)}`} />
        <Fact name="Inflow from" value={schedule.inflow_source.replace(/_/g, " ") || NOT_KNOWN} />
        <Fact name="Prices known to" value={until === null ? NOT_KNOWN : when(until, view.time_zone, plantMs)} />
      </dl>
      {schedule.tuning === null ? (
        <p className="unknown">How the run was tuned is {NOT_KNOWN}</p>
      ) : (
        <TuningOf tuning={schedule.tuning} unit={view.units.elevation} />
      )}
      <GaveWay schedule={schedule} view={view} plantMs={plantMs} />
      <Objective schedule={schedule} />
    </>
  );
}

const RISKS: Record<Tuning["risk"], Kind> = { low: "good", normal: "good", high: "warning", critical: "critical" };
const QUALITIES: Record<Tuning["quality"], Kind> = { good: "good", fair: "note", poor: "warning", unknown: "unknown" };

function TuningOf({ tuning, unit }: { tuning: Tuning; unit: string }) {
  const error = tuning.inflow_error === null ? `error ${NOT_KNOWN}` : `${number(tuning.inflow_error * 100, 1)} % mean error`;
  return (
    <div className="spans tuning">
      <h3>Tuning</h3>
      <ul>
        {tuning.emergency && (
          <li>
            <Mark kind="critical" />
            <b>Emergency: measured and predicted diverge</b>
          </li>
        )}
        <li>
          <Mark kind={RISKS[tuning.risk]} />
          <span>
            Risk <b>{tuning.risk}</b>
          </span>
        </li>
        <li>
          <Mark kind={QUALITIES[tuning.quality]} />
          <span>
            Inflow forecast <b>{tuning.quality === "unknown" ? NOT_KNOWN : tuning.quality}</b> <small>{error}</small>
          </span>
        </li>
        <li>
          <Mark kind="note" />
          <span>
            Strategy <b>{tuning.strategy.replace(/_/g, " ")}</b>{" "}
            <small>
              level {number(tuning.minimum_level, 2)} to {quantity(tuning.maximum_level, unit)}, cost × {number(tuning.cost_factor, 2)}, safety ×{" "}
              {number(tuning.safety_factor, 2)}
            </small>
          </span>
        </li>
        {tuning.reasons.map((reason) => (
          <li key={reason} className="detail reason">
            {reason}
          </li>
        ))}
      </ul>
    </div>
  );
}

function GaveWay({ schedule, view, plantMs }: { schedule: StationSchedule; view: StationView; plantMs: number }) {
  const { relaxations } = schedule;
  return (
    <div className="spans">
      <h3>What gave way</h3>
      {relaxations.length === 0 ? (
        <p className="detail">Nothing: every rule holds.</p>
      ) : (
        <ul>
          {relaxations.slice(0, SHOWN).map((given) => (
            <li key={`${given.rule} ${given.at}`}>
              <Mark kind="warning" />
              <span>
                {given.text} <small>{when(given.at, view.time_zone, plantMs)}</small>
              </span>
            </li>
          ))}
          {relaxations.length > SHOWN && <li className="detail">and {relaxations.length - SHOWN} more</li>}
        </ul>
      )}
    </div>
  );
}
