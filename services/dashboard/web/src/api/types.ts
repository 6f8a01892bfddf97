/** The shapes of the dashboard service, generated from its OpenAPI document (`npm run types`). */
import type {
  AfterbayView,
  AlarmNews,
  ChangedNews,
  ClockNews,
  ControlNews,
  InputsNews,
  RunNews,
  SetpointNews,
  StationView,
} from "./openapi.gen";

export type {
  AfterbayView,
  Alarm,
  AlarmState,
  Approval,
  Control,
  ControlMode,
  Decided,
  Input,
  Interlock,
  Limits,
  NotKnown,
  PlanStep,
  Point,
  PriceStep,
  ProblemDetails,
  Pump,
  PumpSpan,
  Release,
  Resource,
  RunInput,
  RunNews,
  RunState,
  Schedule,
  ScheduleHour,
  Session,
  SetpointEntry,
  Severity,
  SiteName,
  Source,
  StationLimits,
  StationSchedule,
  StationStep,
  StationView,
  Tuning,
} from "./openapi.gen";

/** What a site's page shows; its model says which kind of site it is. */
export type View = AfterbayView | StationView;

export type News = ClockNews | InputsNews | ControlNews | SetpointNews | AlarmNews | RunNews | ChangedNews;
