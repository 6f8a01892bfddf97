/** What cards with drawings share: the frame of time with its ranges, the legend, and words for what cannot be drawn. */
import { useMemo, useState } from "react";

import type { Frame } from "./chart-frame";
import { useNarrow } from "./chart";

const HOUR_MS = 3600 * 1000;
/** The line of now moves in so many steps across a chart. */
const NOW_STEPS = 600;

export interface Range {
  readonly name: string;
  /** Hours shown of the past, and of the time ahead. */
  readonly past: number;
  readonly ahead: number;
}

/** The frame that all drawings of a page share, and the buttons that choose it. `first` are the ranges for a phone and a desk. */
export function useFrame(ranges: readonly [Range, ...Range[]], first: readonly [number, number], plantMs: number) {
  const narrow = useNarrow();
  const [chosen, setChosen] = useState<number | null>(null);
  const range = ranges[chosen ?? (narrow ? first[0] : first[1])] ?? ranges[0];
  const step = ((range.past + range.ahead) * HOUR_MS) / NOW_STEPS;
  const nowMs = Math.floor(plantMs / step) * step;
  const frame = useMemo<Frame>(() => {
    const hour = Math.floor(nowMs / HOUR_MS) * HOUR_MS;
    return { startMs: hour - range.past * HOUR_MS, endMs: hour + range.ahead * HOUR_MS, nowMs, narrow };
  }, [nowMs, range, narrow]);
  const buttons = (
    <span className="ranges" role="group" aria-label="Range of the charts">
      {ranges.map((r, i) => (
        <button key={r.name} type="button" aria-pressed={r === range} onClick={() => setChosen(i)}>
          {r.name}
        </button>
      ))}
    </span>
  );
  return { frame, buttons };
}

export function Missing({ text }: { text: string }) {
  return <p className="unknown">{text}</p>;
}

export function Legend({ entries }: { entries: readonly (readonly [string, string])[] }) {
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
