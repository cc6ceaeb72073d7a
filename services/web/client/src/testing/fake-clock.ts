import type { Clock } from "../clock.js";

interface Timer {
  at: number;
  every: number | undefined;
  run: () => void;
}

/** A clock that stands still until the test moves it; promises are settled in between. */
export class FakeClock implements Clock {
  private time: number;
  private timers = new Map<number, Timer>();
  private lastId = 0;

  constructor(start = Date.parse("2026-11-22T12:00:00.000Z")) {
    this.time = start;
  }

  now(): number {
    return this.time;
  }

  after(milliseconds: number, run: () => void): () => void {
    return this.add(milliseconds, undefined, run);
  }

  every(milliseconds: number, run: () => void): () => void {
    return this.add(milliseconds, milliseconds, run);
  }

  /** Move on, running what falls due in its order. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.time + milliseconds;
    await settle();
    for (let due = this.due(end); due; due = this.due(end)) {
      const [id, timer] = due;
      this.time = Math.max(this.time, timer.at);
      if (timer.every === undefined) this.timers.delete(id);
      else timer.at += timer.every;
      timer.run();
      await settle();
    }
    this.time = end;
  }

  /** The machine sleeps: time passes and no timer runs; those that are late run afterwards. */
  async sleep(milliseconds: number): Promise<void> {
    this.time += milliseconds;
    for (const timer of this.timers.values()) {
      if (timer.every !== undefined && timer.at < this.time) timer.at = this.time;
    }
    await this.advance(0);
  }

  private due(end: number): [number, Timer] | undefined {
    return [...this.timers].filter(([, t]) => t.at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
  }

  private add(milliseconds: number, every: number | undefined, run: () => void): () => void {
    this.lastId += 1;
    const id = this.lastId;
    this.timers.set(id, { at: this.time + milliseconds, every, run });
    return () => this.timers.delete(id);
  }
}

/** Let every promise that can settle do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 4; turn += 1) {
    await new Promise<void>((resolve) => setImmediateOrTimeout(resolve));
  }
}

function setImmediateOrTimeout(run: () => void): void {
  const { setImmediate } = globalThis as { setImmediate?: (run: () => void) => void };
  if (setImmediate) setImmediate(run);
  else setTimeout(run, 0);
}
