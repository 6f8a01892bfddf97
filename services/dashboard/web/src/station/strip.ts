/** A pump's plan as a strip: pieces of a frame of time, each off, on at a speed, or not planned; pure. */
import type { PumpSpan, StationLimits } from "../api/types";
import { clockTime, ms, number } from "../model/format";

export interface Piece {
  /** Share of the frame [0 … 1]. */
  readonly from: number;
  readonly to: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly kind: "off" | "on" | "unknown";
  readonly hz: number;
  /** 0 at the lowest speed, 1 at the highest. */
  readonly speed: number;
}

/** The strip of one pump over [startMs, endMs): where no plan says anything it is unknown, never off. */
export function strip(plan: readonly PumpSpan[], resource: string, startMs: number, endMs: number, limits: StationLimits): Piece[] {
  const own = plan.filter((s) => s.resource === resource && ms(s.end) > startMs && ms(s.start) < endMs);
  own.sort((a, b) => ms(a.start) - ms(b.start));
  const pieces: Piece[] = [];
  let at = startMs;
  const add = (until: number, frequency: number | null) => {
    if (until <= at) return;
    pieces.push(piece(at, until, frequency, startMs, endMs, limits));
    at = until;
  };
  for (const span of own) {
    add(Math.min(ms(span.start), endMs), null);
    add(Math.min(ms(span.end), endMs), span.frequency);
  }
  add(endMs, null);
  return pieces;
}

function piece(from: number, to: number, hz: number | null, startMs: number, endMs: number, limits: StationLimits): Piece {
  const share = (at: number) => (at - startMs) / (endMs - startMs);
  const range = limits.maximum_frequency - limits.minimum_frequency;
  const speed = hz === null || hz <= 0 || range <= 0 ? 0 : Math.min(1, Math.max(0, (hz - limits.minimum_frequency) / range));
  const kind = hz === null ? "unknown" : hz > 0 ? "on" : "off";
  return { from: share(from), to: share(to), startMs: from, endMs: to, kind, hz: hz ?? 0, speed };
}

/** A piece in words: "49.20 Hz 14:00 to 18:00". */
export function inWords(piece: Piece, zone: string): string {
  const what = piece.kind === "on" ? `${number(piece.hz, 2)} Hz` : piece.kind === "off" ? "off" : "not planned";
  return `${what} ${clockTime(piece.startMs, zone)} to ${clockTime(piece.endMs, zone)}`;
}
