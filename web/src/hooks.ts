import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { Refusal, get, type Query } from "./api/client";

export interface Loaded<T> {
  data: T | null;
  error: string | null;
  reload: () => Promise<void>;
  set: (change: (before: T | null) => T | null) => void;
}

/** What a path answers, read again when the path or its query changes; a path of null reads nothing. */
export function useGet<T>(path: string | null, query: Query = {}): Loaded<T> {
  const [data, set] = useState<T | null>(null);
  const [error, setError] = useState<string | null>(null);
  const asked = path === null ? null : path + JSON.stringify(query);
  const newest = useRef(asked);
  newest.current = asked;
  const reload = useCallback(async () => {
    if (path === null) return;
    try {
      const found = await get<T>(path, query);
      if (newest.current === asked) {
        set(found);
        setError(null);
      }
    } catch (refused) {
      if (newest.current === asked) setError(refused instanceof Refusal ? refused.detail : String(refused));
    }
  }, [asked]);
  useEffect(() => {
    set(null);
    void reload();
  }, [reload]);
  return { data, error, reload, set };
}

/** The value, once it hasn't changed for a while. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, set] = useState(value);
  const text = JSON.stringify(value);
  useEffect(() => {
    const timer = window.setTimeout(() => set(value), ms);
    return () => window.clearTimeout(timer);
  }, [text, ms]);
  return settled;
}

/** Do something when a value has changed; not for the first one. */
export function useChanged(value: string | number, act: () => void): void {
  const before = useRef(value);
  useEffect(() => {
    if (before.current !== value) act();
    before.current = value;
  }, [value]);
}

/** Do something now and every so often, while the page is looked at. */
export function useEvery(ms: number, act: () => void): void {
  const now = useRef(act);
  now.current = act;
  useEffect(() => {
    const timer = window.setInterval(() => {
      if (!document.hidden) now.current();
    }, ms);
    return () => window.clearInterval(timer);
  }, [ms]);
}

/** The width in px of the element that gets this as its ref, between two limits, followed as it changes; `usual` before it is there. */
export function useWidth(least: number, usual: number, most = Infinity): [(element: HTMLElement | null) => void, number] {
  const [width, set] = useState(usual);
  const [element, hold] = useState<HTMLElement | null>(null);
  useEffect(() => {
    if (!element) return;
    const seen = new ResizeObserver(([entry]) => set(Math.max(least, Math.min(most, entry!.contentRect.width))));
    seen.observe(element);
    return () => seen.disconnect();
  }, [element]);
  return [hold, width];
}

/** In words, whatever was thrown. */
export function said(error: unknown): string {
  return error instanceof Refusal ? error.detail : String(error);
}
