// What changes, from the server's stream of events. A page that nobody looks at keeps no stream open: browsers allow few a server.
import { useEffect, useRef } from "preact/hooks";
import { address } from "./client";
import type { JobView } from "./schema";

const AGAIN_MS = 3000;

/** Hear of these jobs, and of when a new one was made, as long as the caller is shown. */
export function useLive(jobs: string[], onJob: (job: JobView) => void, onNewest: (at: string | null) => void = () => {}): void {
  const heard = useRef({ onJob, onNewest });
  heard.current = { onJob, onNewest };
  const wanted = jobs.join(",");
  useEffect(() => {
    let stream: EventSource | null = null;
    let timer = 0;
    const close = () => {
      window.clearTimeout(timer);
      stream?.close();
      stream = null;
    };
    const open = () => {
      close();
      if (document.hidden) return;
      const url = new URL(address("v1/events"));
      for (const job of wanted ? wanted.split(",") : []) url.searchParams.append("job", job);
      stream = new EventSource(url);
      stream.addEventListener("job", (event) => heard.current.onJob(JSON.parse((event as MessageEvent).data)));
      stream.addEventListener("newest", (event) => heard.current.onNewest(JSON.parse((event as MessageEvent).data)));
      stream.onerror = () => {
        // the browser asks again by itself, but gives up where the server, or what stands before it, answered an error
        if (stream?.readyState === EventSource.CLOSED) timer = window.setTimeout(open, AGAIN_MS);
      };
    };
    open();
    document.addEventListener("visibilitychange", open);
    return () => {
      document.removeEventListener("visibilitychange", open);
      close();
    };
  }, [wanted]);
}
