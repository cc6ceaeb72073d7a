import type { Clock } from "./clock.js";
import type { Unsubscribe } from "./subscribers.js";

const TICK_MS = 2_000;
/** A timer that comes this late means that the machine slept, or that the page was frozen. */
const JUMP_MS = 8_000;

/** "online": the network is back; "visible": the page is looked at; "slept": time jumped. */
export type WakeReason = "online" | "visible" | "slept";

export type WatchWake = (clock: Clock, onWake: (reason: WakeReason) => void) => Unsubscribe;

/** Hear of everything after which a connection that looks alive may be dead. */
export const watchWake: WatchWake = (clock, onWake) => {
  let last = clock.now();
  const cancelTicks = clock.every(TICK_MS, () => {
    const now = clock.now();
    const late = now - last - TICK_MS;
    last = now;
    if (late > JUMP_MS) onWake("slept");
  });
  if (typeof window === "undefined") return cancelTicks;
  const online = () => onWake("online");
  const visible = () => {
    if (document.visibilityState === "visible") onWake("visible");
  };
  window.addEventListener("online", online);
  window.addEventListener("pageshow", visible);
  document.addEventListener("visibilitychange", visible);
  return () => {
    cancelTicks();
    window.removeEventListener("online", online);
    window.removeEventListener("pageshow", visible);
    document.removeEventListener("visibilitychange", visible);
  };
};
