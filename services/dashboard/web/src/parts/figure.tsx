/** What key figures are made of. Each says how far it may be trusted: stale and unknown values are marked in words. */
import type { ReactNode } from "react";

import type { Input, View } from "../api/types";
import { isStale } from "../model/figures";
import { age, digitsOf, NOT_KNOWN, number, quantity, signed, unitText } from "../model/format";
import { Mark } from "./marks";

export function Figure({ title, className = "", children }: { title: string; className?: string; children: ReactNode }) {
  return (
    <article className={`figure ${className}`}>
      <h2>{title}</h2>
      {children}
    </article>
  );
}

/** The value of an input with its mark: good ones need none. */
export function Value({ input, plantMs, big = false }: { input: Input | undefined; plantMs: number; big?: boolean }) {
  if (input === undefined) return <b className={big ? "big unknown" : "unknown"}>{NOT_KNOWN}</b>;
  const known = input.value !== null;
  const trouble = !known || isStale(input, plantMs) || input.quality !== "GOOD";
  return (
    <>
      <b className={`${big ? "big " : ""}${known ? "" : "unknown"}`}>
        {known && input.value !== null ? number(input.value, digitsOf(input.unit)) : NOT_KNOWN}
        {known && <small> {unitText(input.unit)}</small>}
      </b>
      {trouble && <Trouble input={input} plantMs={plantMs} />}
    </>
  );
}

function Trouble({ input, plantMs }: { input: Input; plantMs: number }) {
  const good = input.last_good ?? null;
  const text =
    input.value === null
      ? `${input.quality.toLowerCase()}${good ? `; last ${quantity(good.value, input.unit, digitsOf(input.unit))}, ${age(good.at, plantMs)}` : ""}`
      : isStale(input, plantMs)
        ? `stale, ${age(input.valid_at, plantMs)}`
        : input.quality.toLowerCase();
  return (
    <span className="trouble">
      <Mark kind="warning" /> {text}
    </span>
  );
}

export function Trend({ perHour, unit }: { perHour: number | null; unit: string }) {
  if (perHour === null) return <span className="trend">trend {NOT_KNOWN}</span>;
  const flat = Math.abs(perHour) < 0.02;
  const turn = flat ? 90 : perHour > 0 ? 45 : 135;
  return (
    <span className="trend">
      <svg viewBox="0 0 16 16" className="arrow" aria-hidden="true" style={{ rotate: `${turn}deg` }}>
        <path d="M8 14V2.500M3.500 7 8 2.500 12.500 7" />
      </svg>
      {flat ? "steady" : perHour > 0 ? "rising" : "falling"} {signed(perHour, 2)} {unitText(unit)}/h
    </span>
  );
}

const MODES = { auto: "Auto", manual: "Manual", off: "Off", maintenance: "Maintenance" } as const;
const LEADS = {
  auto: "the plan leads",
  manual: "a person leads",
  off: "nobody leads",
  maintenance: "somebody works on it: nothing starts",
} as const;

/** Who leads; `children` is what the kind of site adds. */
export function Mode({ view, children }: { view: View; children?: ReactNode }) {
  const control = view.control;
  return (
    <Figure title="Mode">
      <p data-testid="mode">
        {control === null ? (
          <b className="unknown">{NOT_KNOWN}</b>
        ) : (
          <b className="middle">
            {control.e_stop ? (
              <>
                <Mark kind="critical" /> E-stop
              </>
            ) : (
              MODES[control.mode]
            )}
          </b>
        )}
      </p>
      <p className="detail">
        {control !== null && LEADS[control.mode]}
        {control !== null && children !== undefined && " · "}
        {children}
      </p>
    </Figure>
  );
}
