/** Numbers, instants and ages as people read them. What is unknown reads "not known", never 0. */

export const NOT_KNOWN = "not known";
const MINUTE = 60;
const HOUR = 3600;
const DAY = 86400;

/** A number with its unit, or "not known". */
export function quantity(value: number | null | undefined, unit: string, digits = 2): string {
  if (value === null || value === undefined || !Number.isFinite(value)) {
    return NOT_KNOWN;
  }
  return unit ? `${number(value, digits)} ${unitText(unit)}` : number(value, digits);
}

/** A number with a fixed count of digits and a true minus sign; -0.00 is 0.00. */
export function number(value: number, digits: number): string {
  const text = value.toLocaleString("en-US", {
    minimumFractionDigits: digits,
    maximumFractionDigits: digits,
    useGrouping: "min2",
  });
  return Number(value.toFixed(digits)) === 0 ? text.replace("-", "") : text.replace("-", "−");
}

/** A difference: always with its sign. */
export function signed(value: number, digits: number): string {
  const text = number(value, digits);
  return text.startsWith("−") || Number(value.toFixed(digits)) === 0 ? text : `+${text}`;
}

/** A unit as it is printed. */
export function unitText(unit: string): string {
  return PRINTED[unit] ?? unit;
}

const PRINTED: Record<string, string> = { acre_ft: "acre-ft", "m**3": "m³", "m**3/hour": "m³/h", "m**3/s": "m³/s" };
const WHOLE = new Set(["cfs", "acre_ft", "m**3", "m**3/hour", "kW"]);

/** Digits that a unit is read with. */
export function digitsOf(unit: string): number {
  return WHOLE.has(unit) ? 0 : 2;
}

/** How long: "8 s", "4 min", "3 h 20 min", "2 d 4 h". */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < MINUTE) return `${s} s`;
  if (s < HOUR) return `${Math.floor(s / MINUTE)} min`;
  const [big, small, bigName, smallName] = s < DAY ? [HOUR, MINUTE, "h", "min"] : [DAY, HOUR, "d", "h"];
  const rest = Math.floor((s % big) / small);
  return `${Math.floor(s / big)} ${bigName}${rest ? ` ${rest} ${smallName}` : ""}`;
}

/** How old an instant is at `now`: "4 min ago"; one that is ahead says so. */
export function age(instant: string | number | null, nowMs: number): string {
  if (instant === null) return NOT_KNOWN;
  const seconds = (nowMs - ms(instant)) / 1000;
  return seconds < -1 ? `in ${duration(-seconds)}` : `${duration(seconds)} ago`;
}

/** Milliseconds of an instant. */
export function ms(instant: string | number): number {
  return typeof instant === "number" ? instant : Date.parse(instant);
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(zone: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify([zone, options]);
  const known = formats.get(key) ?? new Intl.DateTimeFormat("en-GB", { timeZone: zone, hourCycle: "h23", ...options });
  formats.set(key, known);
  return known;
}

/** "14:05" */
export function clockTime(instant: string | number, zone: string): string {
  return format(zone, { hour: "2-digit", minute: "2-digit" }).format(ms(instant));
}

/** "Tue 17 Feb" */
export function day(instant: string | number, zone: string): string {
  return format(zone, { weekday: "short", day: "numeric", month: "short" }).format(ms(instant)).replace(",", "");
}

/** "Tue 14:05"; with the date where it is more than six days from `now`. */
export function when(instant: string | number, zone: string, nowMs: number): string {
  const far = Math.abs(ms(instant) - nowMs) > 6 * DAY * 1000;
  const date = far ? day(instant, zone) : format(zone, { weekday: "short" }).format(ms(instant));
  return `${date} ${clockTime(instant, zone)}`;
}

/** The zone's short name at an instant: "PST", "PDT", "EET"; each English knows the names of its own side of the ocean. */
export function zoneName(instant: number, zone: string): string {
  const names = ["en-US", "en-GB"].map((locale) => {
    const parts = new Intl.DateTimeFormat(locale, { timeZone: zone, timeZoneName: "short" }).formatToParts(instant);
    return parts.find((part) => part.type === "timeZoneName")?.value ?? zone;
  });
  return names.find((name) => !name.startsWith("GMT")) ?? names[0] ?? zone;
}

/** Local midnights and every `stepHours` local hours within [start, end], whatever the clocks do that day. */
export function localTicks(startMs: number, endMs: number, zone: string, stepHours: number): number[] {
  const ticks: number[] = [];
  const hour = format(zone, { hour: "2-digit" });
  for (let at = Math.ceil(startMs / (HOUR * 1000)) * HOUR * 1000; at <= endMs; at += HOUR * 1000) {
    if (Number(hour.format(at)) % stepHours === 0) ticks.push(at);
  }
  return ticks;
}

/** Whether an instant is a local midnight. */
export function isMidnight(instant: number, zone: string): boolean {
  return clockTime(instant, zone) === "00:00";
}
