/** An ECharts instance in React: sized by its box, in the page's scheme, linked with the charts of its group. */
import { CustomChart, LineChart } from "echarts/charts";
import { AriaComponent, GridComponent, MarkAreaComponent, MarkLineComponent, TooltipComponent } from "echarts/components";
import { connect, init, use, type EChartsCoreOption, type EChartsType } from "echarts/core";
import { SVGRenderer } from "echarts/renderers";
import { useEffect, useRef, useState } from "react";

use([LineChart, CustomChart, GridComponent, TooltipComponent, MarkLineComponent, MarkAreaComponent, AriaComponent, SVGRenderer]);

export interface Colours {
  readonly text: string;
  readonly muted: string;
  readonly rule: string;
  readonly panel: string;
  readonly measured: string;
  readonly forecast: string;
  readonly plan: string;
  readonly award: string;
  readonly limit: string;
  readonly limitArea: string;
  readonly now: string;
  readonly release: string;
  readonly inflow: string;
  readonly inflowArea: string;
}

const NAMES: readonly (keyof Colours)[] = [
  "text", "muted", "rule", "panel", "measured", "forecast", "plan", "award", "limit", "limitArea", "now", "release", "inflow", "inflowArea",
];

function coloursOfPage(): Colours {
  const style = getComputedStyle(document.documentElement);
  const property = (name: string) => style.getPropertyValue(`--${name.replace(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`).trim();
  return Object.fromEntries(NAMES.map((name) => [name, property(name)])) as unknown as Colours;
}

/** The page's colours, which follow the reader's scheme. */
export function useColours(): Colours {
  const [colours, setColours] = useState(coloursOfPage);
  useEffect(() => {
    const scheme = window.matchMedia("(prefers-color-scheme: dark)");
    const change = () => setColours(coloursOfPage());
    scheme.addEventListener("change", change);
    return () => scheme.removeEventListener("change", change);
  }, []);
  return colours;
}

/** Whether the page is as narrow as a phone. */
export function useNarrow(): boolean {
  const query = "(max-width: 600px)";
  const [narrow, setNarrow] = useState(() => window.matchMedia(query).matches);
  useEffect(() => {
    const media = window.matchMedia(query);
    const change = () => setNarrow(media.matches);
    media.addEventListener("change", change);
    return () => media.removeEventListener("change", change);
  }, []);
  return narrow;
}

/** `option` is ECharts' own; `label` tells in words what the drawing shows. */
export function Chart({ option, label, group }: { option: EChartsCoreOption; label: string; group: string }) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType | null>(null);

  useEffect(() => {
    if (box.current === null) return undefined;
    const made = init(box.current, null, { renderer: "svg" });
    made.group = group;
    connect(group);
    chart.current = made;
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(box.current);
    return () => {
      observer.disconnect();
      made.dispose();
      chart.current = null;
    };
  }, [group]);

  useEffect(() => {
    chart.current?.setOption(option, { replaceMerge: ["series"] });
  }, [option]);

  return <div ref={box} className="chart" role="img" aria-label={label} />;
}
