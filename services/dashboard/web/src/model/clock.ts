/** The plant's clock between two beats, and how fresh the link is. The page's own time is `performance.now()`. */

export interface Clock {
  /** Plant time at the last beat [ms]. */
  readonly plantMs: number;
  /** The page's time then [ms]. */
  readonly heardMs: number;
  readonly speed: number;
}

/** Plant time now; it runs on for at most `LONGEST_GUESS_MS` without a beat, for then nobody knows it. */
export const LONGEST_GUESS_MS = 15_000;

export function plantNow(clock: Clock, pageMs: number): number {
  const elapsed = Math.min(Math.max(0, pageMs - clock.heardMs), LONGEST_GUESS_MS);
  return clock.plantMs + elapsed * clock.speed;
}

export type Link =
  | { readonly state: "connecting" }
  | { readonly state: "live"; readonly silentS: number }
  | { readonly state: "bus away"; readonly silentS: number }
  | { readonly state: "stale"; readonly silentS: number };

/** Beats come every 5 s: three missed ones are stale. */
export const STALE_AFTER_S = 15;

export function link(lastHeardMs: number | null, busConnected: boolean, pageMs: number): Link {
  if (lastHeardMs === null) return { state: "connecting" };
  const silentS = Math.max(0, (pageMs - lastHeardMs) / 1000);
  if (silentS > STALE_AFTER_S) return { state: "stale", silentS };
  return { state: busConnected ? "live" : "bus away", silentS };
}
