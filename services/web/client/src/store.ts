import type { Clock } from "./clock.js";
import { Subscribers, type Unsubscribe } from "./subscribers.js";

const FRAME_MS = 16;

/**
 * Something that a page shows: an immutable snapshot, and news of when it changed.
 *
 * The first change is told at once; those of the next 16 ms together, so that a replay of a
 * thousand events costs a few renders and not a thousand.
 */
export abstract class Store<Snapshot> {
  protected readonly clock: Clock;
  private readonly listeners = new Subscribers<[]>();
  private cached: Snapshot | undefined;
  private toldAt = Number.NEGATIVE_INFINITY;
  private cancelTell: (() => void) | undefined;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  subscribe = (listener: () => void): Unsubscribe => this.listeners.add(listener);

  /** The present state; the same object until something changes. */
  snapshot = (): Snapshot => {
    this.cached ??= this.build();
    return this.cached;
  };

  protected abstract build(): Snapshot;

  protected changed(): void {
    this.cached = undefined;
    if (this.cancelTell) return;
    const wait = this.toldAt + FRAME_MS - this.clock.now();
    if (wait <= 0) this.tell();
    else this.cancelTell = this.clock.after(wait, () => this.tell());
  }

  protected silence(): void {
    this.cancelTell?.();
    this.cancelTell = undefined;
  }

  private tell(): void {
    this.cancelTell = undefined;
    this.toldAt = this.clock.now();
    this.listeners.tell();
  }
}
