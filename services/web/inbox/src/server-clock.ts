import type { Connected, RealtimeClient } from "@pytake/realtime";
import { useSyncExternalStore } from "react";
import { useNow } from "./use-now";

const KEY = "pytake.clock-skew";
/** What is less than this may be the time that the answer took. */
const LEAST_MS = 2_000;

/** How far the server's clock is ahead of this machine's; of one machine, so for all its tabs. */
let skewMs = Number(localStorage.getItem(KEY)) || 0;
const listeners = new Set<() => void>();

/** Learn the server's time at each connection, until the returned function is called. */
export function followServerClock(client: RealtimeClient, now = Date.now): () => void {
  return client.onEvent((name, data) => {
    if (name !== "connected") return;
    const ahead = Date.parse((data as Connected).server_time) - now();
    skewMs = Math.abs(ahead) < LEAST_MS ? 0 : ahead || 0;
    localStorage.setItem(KEY, String(skewMs));
    for (const listener of listeners) listener();
  });
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useSkew(): number {
  return useSyncExternalStore(subscribe, () => skewMs);
}

/** The present moment by the server's clock, for what the server ends. */
export function useServerNow(everyMs: number): number {
  return useNow(everyMs) + useSkew();
}
