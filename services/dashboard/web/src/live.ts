/** One site, live: the view at the start, merged with the news as it comes, asked for again when a large part is new. */
import { useCallback, useEffect, useReducer, useRef, useState } from "react";

import { api, Refused } from "./api/client";
import type { News, RunNews, View } from "./api/types";
import { link, plantNow, type Clock, type Link } from "./model/clock";
import { ms } from "./model/format";
import { merged } from "./model/merge";

export interface Live {
  readonly view: View | null;
  readonly clock: Clock | null;
  readonly heardMs: number | null;
  readonly busConnected: boolean;
  readonly run: RunNews | null;
  readonly fault: string | null;
}

type Happened =
  | { readonly kind: "view"; readonly view: View; readonly pageMs: number }
  | { readonly kind: "news"; readonly news: News; readonly pageMs: number }
  | { readonly kind: "fault"; readonly text: string };

const NOTHING: Live = { view: null, clock: null, heardMs: null, busConnected: true, run: null, fault: null };

function after(state: Live, happened: Happened): Live {
  switch (happened.kind) {
    case "fault":
      return { ...state, fault: happened.text };
    case "view": {
      const clock = { plantMs: ms(happened.view.now), heardMs: happened.pageMs, speed: happened.view.clock_speed };
      return { ...state, view: happened.view, clock: state.clock ?? clock, fault: null };
    }
    case "news":
      return afterNews({ ...state, heardMs: happened.pageMs }, happened.news, happened.pageMs);
  }
}

function afterNews(state: Live, news: News, pageMs: number): Live {
  if (news.kind === "clock") {
    const clock = { plantMs: ms(news.now), heardMs: pageMs, speed: news.clock_speed };
    return { ...state, clock, busConnected: news.bus_connected };
  }
  if (news.kind === "run") return { ...state, run: news };
  return state.view === null ? state : { ...state, view: merged(state.view, news) };
}

const TOGETHER_MS = 400;
/** Most changes are told; a service that goes away is only seen by asking. */
const AGAIN_MS = 20_000;
const RETRY_MS = 3_000;

/** `onSignedOut` is called when the session is over. `refresh` asks for the view now. */
export function useLive(site: string, onSignedOut: () => void): { live: Live; refresh: () => void } {
  const [live, happen] = useReducer(after, NOTHING);
  const timer = useRef<number | undefined>(undefined);
  const knownRun = useRef<string | null>(null);

  const load = useCallback(async () => {
    try {
      happen({ kind: "view", view: await api.view(site), pageMs: performance.now() });
    } catch (error) {
      if (error instanceof Refused && error.status === 401) onSignedOut();
      else happen({ kind: "fault", text: error instanceof Error ? error.message : String(error) });
    }
  }, [site, onSignedOut]);

  const soon = useCallback(
    (delayMs: number) => {
      window.clearTimeout(timer.current);
      timer.current = window.setTimeout(() => void load(), delayMs);
    },
    [load],
  );

  useEffect(() => {
    void load();
    const again = window.setInterval(() => void load(), AGAIN_MS);
    const close = listen(site, (news) => {
      happen({ kind: "news", news, pageMs: performance.now() });
      if (news.kind === "changed" || (news.kind === "run" && news.run_id !== knownRun.current)) soon(TOGETHER_MS);
      if (news.kind === "run") knownRun.current = news.run_id;
    }, load);
    return () => {
      window.clearInterval(again);
      window.clearTimeout(timer.current);
      close();
    };
  }, [site, load, soon]);

  return { live, refresh: () => void load() };
}

/** Plant time and the link's state, every second. */
export function useNow(live: Live): { plantMs: number | null; state: Link } {
  const pageMs = useSeconds();
  const { clock, view } = live;
  const viewedMs = view === null ? null : ms(view.now);
  return {
    plantMs: clock === null ? viewedMs : plantNow(clock, pageMs),
    state: link(live.heardMs, live.busConnected, pageMs),
  };
}

/** The page's own time, every second. */
function useSeconds(): number {
  const [now, setNow] = useState(() => performance.now());
  useEffect(() => {
    const timer = window.setInterval(() => setNow(performance.now()), 1000);
    return () => window.clearInterval(timer);
  }, []);
  return now;
}

/** Hear a site's news for good: a stream that ends is opened again, and then the view is asked for anew. */
function listen(site: string, onNews: (news: News) => void, onReopened: () => Promise<void>): () => void {
  let source: EventSource | undefined;
  let retry: number | undefined;
  const open = (first: boolean) => {
    source = new EventSource(api.liveAddress(site));
    source.onmessage = (event: MessageEvent<string>) => onNews(JSON.parse(event.data) as News);
    source.onopen = () => {
      if (!first) void onReopened();
    };
    source.onerror = () => {
      source?.close();
      retry = window.setTimeout(() => {
        void onReopened();
        open(false);
      }, RETRY_MS);
    };
  };
  open(true);
  return () => {
    source?.close();
    window.clearTimeout(retry);
  };
}
