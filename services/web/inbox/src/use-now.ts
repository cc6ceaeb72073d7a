import { useSyncExternalStore } from "react";

/** One timer for everybody who wants to know the time equally often. */
class SharedClock {
  private now = 0;
  private timer: ReturnType<typeof setInterval> | undefined;
  private readonly listeners = new Set<() => void>();

  constructor(private readonly everyMs: number) {}

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    this.timer ??= setInterval(() => this.tick(), this.everyMs);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size > 0) return;
      clearInterval(this.timer);
      this.timer = undefined;
    };
  };

  snapshot = (): number => {
    if (Date.now() - this.now >= this.everyMs) this.now = Date.now();
    return this.now;
  };

  private tick(): void {
    this.now = Date.now();
    for (const listener of this.listeners) listener();
  }
}

const clocks = new Map<number, SharedClock>();

function clockOf(everyMs: number): SharedClock {
  const clock = clocks.get(everyMs) ?? new SharedClock(everyMs);
  clocks.set(everyMs, clock);
  return clock;
}

const never = () => () => {};

/** The present moment, at most so many milliseconds old, renewed while `isOn`. */
export function useNow(everyMs: number, isOn = true): number {
  const clock = clockOf(everyMs);
  return useSyncExternalStore(isOn ? clock.subscribe : never, clock.snapshot);
}
