import type { Unsubscribe } from "./subscribers.js";
import type { WakeReason } from "./wake.js";

/** Where the connection stands, before the conversations are asked whether they are complete. */
export type LinkState = "connecting" | "up" | "offline" | "stopped";

export interface LinkStatus {
  readonly state: LinkState;
  /** Why it stopped, or what the last attempt was refused with. */
  readonly code?: string | undefined;
  /** When the next attempt is made, in milliseconds since 1970. */
  readonly retryAt?: number | undefined;
  readonly transport?: string | undefined;
  readonly sid?: string | undefined;
}

/** `gap`: events may have been missed since the session before. */
export interface SessionStart {
  readonly gap: boolean;
}

export type ServerEventListener = (name: string, data: unknown) => void;

/** The way to the server: this tab's own connection, or that of the tab which leads. */
export interface Link {
  readonly status: LinkStatus;
  onStatus(listener: (status: LinkStatus) => void): Unsubscribe;
  onEvent(listener: ServerEventListener): Unsubscribe;
  /** A session began: conversations have to be joined in it. */
  onSession(listener: (session: SessionStart) => void): Unsubscribe;
  /**
   * Send an event and wait for its acknowledgement.
   *
   * Rejects with a `RealtimeError`: the server's code, or `unreachable` when there is no
   * connection or no answer came in time.
   */
  request(event: string, payload: unknown, timeoutMs?: number): Promise<Record<string, unknown>>;
  /** Something happened after which a connection that looks alive may be dead. */
  wake(reason: WakeReason): void;
  /** Everything of this session has been joined and has arrived. */
  settled(): void;
  start(): void;
  stop(): void;
}
