import type { Clock } from "./clock.js";
import type { Unsubscribe } from "./subscribers.js";

export const START_EVERY_MS = 3_000;
export const STOP_AFTER_MS = 2_000;
export const EXPIRES_AFTER_MS = 5_000;

/** Tells others that this user writes: at most every 3 s, and no more after 2 s without a key. */
export class OwnTyping {
  private startedAt = Number.NEGATIVE_INFINITY;
  private cancelStop: Unsubscribe | undefined;

  constructor(
    private readonly clock: Clock,
    private readonly tell: (typing: boolean) => void,
  ) {}

  key(): void {
    const now = this.clock.now();
    if (now - this.startedAt >= START_EVERY_MS) {
      this.startedAt = now;
      this.tell(true);
    }
    this.cancelStop?.();
    this.cancelStop = this.clock.after(STOP_AFTER_MS, () => this.stop());
  }

  stop(): void {
    if (this.cancelStop) this.tell(false);
    this.sent();
  }

  /** A message went out: the server has ended it by itself. */
  sent(): void {
    this.cancelStop?.();
    this.cancelStop = undefined;
    this.startedAt = Number.NEGATIVE_INFINITY;
  }
}

/** Who else writes; forgotten 5 s after the last news, and when their message arrives. */
export class OthersTyping {
  private timers = new Map<string, Unsubscribe>();

  constructor(
    private readonly clock: Clock,
    private readonly changed: () => void,
  ) {}

  get users(): readonly string[] {
    return [...this.timers.keys()];
  }

  set(userId: string, typing: boolean): void {
    const wasTyping = this.timers.has(userId);
    this.timers.get(userId)?.();
    this.timers.delete(userId);
    if (typing) {
      this.timers.set(
        userId,
        this.clock.after(EXPIRES_AFTER_MS, () => this.set(userId, false)),
      );
    }
    if (wasTyping !== typing) this.changed();
  }

  clear(): void {
    if (this.timers.size === 0) return;
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
    this.changed();
  }
}
