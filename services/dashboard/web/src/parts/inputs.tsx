/** The newest value of every series with its quality and age, and how the sources do. */
import type { Input, Source, View } from "../api/types";
import { isStale } from "../model/figures";
import { age, digitsOf, duration, NOT_KNOWN, quantity, when } from "../model/format";
import { Mark, type Kind } from "./marks";

interface Props {
  view: View;
  plantMs: number;
  /** What a reader need not see while all of it is good, and what it is called. */
  folded?: { readonly name: string; readonly holds: (input: Input) => boolean };
}

export function Inputs({ view, plantMs, folded }: Props) {
  const inputs = view.inputs ?? [];
  const apart = folded === undefined ? [] : inputs.filter(folded.holds);
  const doubtful = apart.filter((input) => standing(input, plantMs)[0] !== "good").length;
  return (
    <section className="card inputs" aria-labelledby="inputs-title">
      <h2 id="inputs-title">Inputs</h2>
      <Sources sources={view.sources} plantMs={plantMs} />
      {view.inputs === null ? (
        <p className="unknown">
          <Mark kind="unknown" /> The newest inputs are {NOT_KNOWN}
        </p>
      ) : (
        <Table inputs={inputs.filter((input) => !apart.includes(input))} view={view} plantMs={plantMs} />
      )}
      {folded !== undefined && apart.length > 0 && (
        <details>
          <summary>
            {apart.length} {folded.name}, {doubtful === 0 ? "all good" : `${doubtful} not good`}
          </summary>
          <Table inputs={apart} view={view} plantMs={plantMs} />
        </details>
      )}
    </section>
  );
}

function Table({ inputs, view, plantMs }: { inputs: readonly Input[]; view: View; plantMs: number }) {
  return (
    <table>
      <thead>
        <tr>
          <th scope="col">Series</th>
          <th scope="col" className="value">
            Value
          </th>
          <th scope="col">Quality</th>
          <th scope="col">Age</th>
          <th scope="col" className="wide">
            Valid at
          </th>
        </tr>
      </thead>
      <tbody>
        {inputs.map((input) => (
          <Row key={input.series} input={input} view={view} plantMs={plantMs} />
        ))}
      </tbody>
    </table>
  );
}

function standing(input: Input, plantMs: number): readonly [Kind, string] {
  if (input.value === null) return ["unknown", input.quality.toLowerCase()];
  if (isStale(input, plantMs)) return ["warning", `${input.quality.toLowerCase()}, stale`];
  return [input.quality === "GOOD" ? "good" : "warning", input.quality.toLowerCase()];
}

const MEANS: Record<Input["basis"], string> = { instant: "", hour_mean: " (mean of the hour)", "15min_mean": " (mean of the quarter hour)" };

function Row({ input, view, plantMs }: { input: Input; view: View; plantMs: number }) {
  const [kind, words] = standing(input, plantMs);
  const good = input.last_good ?? null;
  return (
    <tr className={kind === "good" ? "" : "doubtful"}>
      <th scope="row">
        {input.label}
        {input.substituted && <small> substituted: {input.substituted}</small>}
      </th>
      <td className="value">
        {input.text ?? quantity(input.value, input.unit, digitsOf(input.unit))}
        {input.value === null && good !== null && (
          <small>
            {" "}
            last good {input.unit ? `${quantity(good.value, input.unit, digitsOf(input.unit))}, ` : ""}
            {age(good.at, plantMs)}
          </small>
        )}
      </td>
      <td>
        <Mark kind={kind} /> {words}
      </td>
      <td>{age(input.valid_at, plantMs)}</td>
      <td className="wide">
        {when(input.valid_at, view.time_zone, plantMs)}
        {MEANS[input.basis]}
      </td>
    </tr>
  );
}

function Sources({ sources, plantMs }: { sources: readonly Source[] | null; plantMs: number }) {
  if (sources === null) return <p className="unknown">How the sources do is {NOT_KNOWN}</p>;
  return (
    <ul className="sources" aria-label="Sources">
      {sources.map((source) => (
        <li key={source.source}>
          <Mark kind={source.error === null ? "good" : "warning"} />
          <b>{source.source}</b>{" "}
          {source.error === null
            ? `answered ${age(source.last_success_at, plantMs)}${source.lag_s !== null && source.lag_s > 0 ? `, lags ${duration(source.lag_s)}` : ""}`
            : `${source.error}; last success ${age(source.last_success_at, plantMs)}`}
        </li>
      ))}
    </ul>
  );
}
