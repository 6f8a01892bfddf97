/** A small view to test with. */
import type {
  AfterbayView,
  Alarm,
  Approval,
  Input,
  PlanStep,
  PumpSpan,
  Resource,
  ScheduleHour,
  SetpointEntry,
  StationStep,
  StationView,
} from "../src/api/types";

export const NOW = Date.parse("2026-02-17T12:00:00Z");

/** The instant so many minutes after NOW. */
export const at = (minutes: number) => new Date(NOW + minutes * 60_000).toISOString();

export const input = (series: string, value: number | null, minutes: number, more: Partial<Input> = {}): Input => ({
  series,
  label: series,
  unit: "ft",
  value,
  text: null,
  valid_at: at(minutes),
  stale_at: at(minutes + 30),
  quality: value === null ? "MISSING" : "GOOD",
  basis: "instant",
  substituted: null,
  last_good: null,
  ...more,
});

export const alarm = (name: string, state: Alarm["state"], more: Partial<Alarm> = {}): Alarm => ({
  alarm: name,
  title: name,
  severity: "warning",
  state,
  since: at(0),
  text: "",
  value: null,
  unit: "",
  acknowledged_by: null,
  ...more,
});

/** A plan that waits from ten minutes before NOW to an hour after it. */
export const approval = (id: number, more: Partial<Approval> = {}): Approval => ({
  approval_id: id,
  publisher: "acme",
  resources: ["OXPH"],
  begins: at(0),
  ends: at(180),
  priority: 1,
  asked_by: "ann",
  asked_at: at(-10),
  expires_at: at(60),
  roles: ["operator", "engineer"],
  reason: "",
  steps: [{ resource: "OXPH", start: at(0), end: at(180), text: "power 2 MW" }],
  steps_left_out: 0,
  ...more,
});

export const plan = (id: number, from: number, to: number, target: number | null, more: Partial<PlanStep> = {}): PlanStep => ({
  plan_id: id,
  resource: "OXPH",
  start: at(from),
  end: at(to),
  target,
  unit: "MW",
  version: 1,
  priority: 1,
  status: "ACTIVE",
  publisher: "optimizer",
  run_id: null,
  ...more,
});

export const hour = (from: number, elevation: number, setpoint = 2): ScheduleHour => ({
  start: at(from),
  end: at(from + 60),
  setpoint,
  power: setpoint,
  elevation,
  inflow: 900,
  outflow: 800,
  spill: 0,
});

export const entry = (id: string, minutes: number, enforced: number | null, more: Partial<SetpointEntry> = {}): SetpointEntry => ({
  setpoint_id: id,
  resource: "OXPH",
  at: at(minutes),
  outcome: "verified",
  unit: "MW",
  requested: enforced,
  enforced,
  read_back: enforced,
  reason: "",
  plan_id: 1,
  quantity: "setpoint",
  ...more,
});

export const resource = (more: Partial<Resource> = {}): Resource => ({
  resource: "OXPH",
  unit: "MW",
  requested: 2,
  setpoint: null,
  read_back: 2,
  actual: 2,
  plan_id: 1,
  plan_age_s: 60,
  link_up: true,
  fail_safe: false,
  refused: false,
  reason: "",
  ...more,
});

export const view = (more: Partial<AfterbayView> = {}): AfterbayView => ({
  model: "afterbay",
  site: "abay",
  name: "Afterbay",
  time_zone: "America/Los_Angeles",
  now: at(0),
  clock_speed: 1,
  units: { elevation: "ft", flow: "cfs", volume: "acre_ft", power: "MW" },
  not_known: [],
  limits: {
    minimum_elevation: 1168,
    maximum_elevation: 1172.5,
    float_elevation: 1173,
    float_source: "site file",
    minimum_power: 0.8,
    maximum_power: 5.8,
  },
  inputs: [],
  sources: [],
  elevation: [],
  power: [],
  awards: [],
  newest_run: null,
  schedule: null,
  plan: [],
  control: null,
  setpoints: [],
  alarms: [],
  approvals: [],
  releases: [],
  ...more,
});

export const span = (from: number, to: number, frequency: number | null, more: Partial<PumpSpan> = {}): PumpSpan => ({
  resource: "P1_1",
  start: at(from),
  end: at(to),
  frequency,
  publisher: "optimizer",
  ...more,
});

export const step = (from: number, more: Partial<StationStep> = {}): StationStep => ({
  start: at(from),
  end: at(from + 15),
  level: 2,
  outflow: 5000,
  inflow: 4000,
  inflow_low: 3800,
  inflow_high: 4400,
  power: 600,
  price: 40,
  price_known: true,
  cost_eur: 6,
  frequency: { P1_1: 49, P1_2: 0 },
  ...more,
});

/** A small station of two pumps. */
export const stationView = (more: Partial<StationView> = {}): StationView => ({
  model: "pumping_station",
  site: "blominmaki",
  name: "Blominmäki",
  time_zone: "Europe/Helsinki",
  now: at(0),
  clock_speed: 1,
  units: { elevation: "m", flow: "m**3/hour", volume: "m**3", power: "kW", frequency: "Hz", price: "EUR/MWh" },
  not_known: [],
  limits: {
    minimum_level: 0,
    emptied_level: 0.5,
    alarm_level: 7.2,
    maximum_level: 8,
    maximum_outflow: 10478,
    minimum_frequency: 47.8,
    maximum_frequency: 50,
  },
  pumps: [
    { resource: "P1_1", name: "1.1", make: "small" },
    { resource: "P1_2", name: "1.2", make: "large" },
  ],
  inputs: [],
  sources: [],
  level: [],
  outflow: [],
  inflow: [],
  prices: [],
  newest_run: null,
  schedule: null,
  plan: [],
  control: null,
  setpoints: [],
  alarms: [],
  approvals: [],
  ...more,
});
