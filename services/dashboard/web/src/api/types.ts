/** The shapes of the dashboard service, generated from its OpenAPI document (`npm run types`). */
import type {
  AlarmNews,
  ChangedNews,
  ClockNews,
  ControlNews,
  InputsNews,
  RunNews,
  SetpointNews,
} from "./openapi.gen";

export type {
  Alarm,
  AlarmState,
  Control,
  ControlMode,
  Input,
  Limits,
  NotKnown,
  PlanStep,
  Point,
  ProblemDetails,
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
  View,
} from "./openapi.gen";

export type News = ClockNews | InputsNews | ControlNews | SetpointNews | AlarmNews | RunNews | ChangedNews;
