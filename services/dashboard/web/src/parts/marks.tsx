/** Marks with a shape of their own, so that colour is never the only sign. The words stand beside them. */

export type Kind = "good" | "note" | "warning" | "critical" | "unknown";

const SHAPES: Record<Kind, React.ReactNode> = {
  good: (
    <>
      <circle cx="8" cy="8" r="6.5" />
      <path d="M5 8.2 7.200 10.400 11.200 6" />
    </>
  ),
  note: (
    <>
      <circle cx="8" cy="8" r="6.5" />
      <path d="M8 7.500v3.700M8 4.600v.6" />
    </>
  ),
  warning: (
    <>
      <path d="M8 1.800 15 14H1z" />
      <path d="M8 6.300v3.800M8 11.700v.6" />
    </>
  ),
  critical: (
    <>
      <path className="filled" d="M5.200 1.200h5.600l4 4v5.600l-4 4H5.200l-4-4V5.200z" />
      <path className="on-filled" d="M8 4.300v4.500M8 10.800v.8" />
    </>
  ),
  unknown: (
    <>
      <circle cx="8" cy="8" r="6.5" strokeDasharray="2.500 2" />
      <path d="M6.200 6.400c0-2.400 3.600-2.400 3.600 0 0 1.500-1.800 1.400-1.800 2.900M8 11.300v.6" />
    </>
  ),
};

export function Mark({ kind }: { kind: Kind }) {
  return (
    <svg className={`mark ${kind}`} viewBox="0 0 16 16" aria-hidden="true" focusable="false">
      {SHAPES[kind]}
    </svg>
  );
}

export function Logo() {
  return (
    <svg className="logo" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
      <path d="M4 12h24M4 6v20M28 6v20M12 6v6M20 6v6" />
      <path className="water" d="M4 19c4 0 4 3 8 3s4-3 8-3 4 3 8 3" />
    </svg>
  );
}
