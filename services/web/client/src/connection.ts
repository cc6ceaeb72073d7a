import { type Clock, within } from "./clock.js";
import type { Connected, ServerDraining } from "./contract.gen.js";
import { endsTheConnection, RealtimeError, unreachable } from "./errors.js";
import type { Link, LinkStatus, ServerEventListener, SessionStart } from "./link.js";
import type { GetToken } from "./rest.js";
import { retryDelayMs } from "./retry.js";
import { Session, type SessionEnd } from "./session.js";
import { Subscribers, type Unsubscribe } from "./subscribers.js";
import type { WakeReason, WatchWake } from "./wake.js";
import type { OpenSocket } from "./wire.js";

const REQUEST_TIMEOUT_MS = 10_000;
const PROBE_TIMEOUT_MS = 3_000;
/** The old session of a hand-over stays at most this long (contract, cap and resume). */
const HANDOVER_MS = 5_000;
const REFRESH_EARLY_MS = 60_000;

export interface ConnectionOptions {
  url: string;
  path: string;
  transports: ("websocket" | "polling")[];
  withCredentials: boolean;
  handshakeTimeoutMs: number;
  getToken: GetToken;
  openSocket: OpenSocket;
  clock: Clock;
  random: () => number;
  watchWake: WatchWake;
  debug: (...line: unknown[]) => void;
  client: { name: string; version: string };
}

/**
 * One connection to the server that never gives up.
 *
 *     stopped ──start──▶ connecting ──connected──▶ up
 *        ▲                 ▲     │                  │
 *        │                 │     └──refused, lost───┴──▶ offline
 *        │                 └──────── wait is over, wake ────┘
 *        └── stop(), or a code that says: stay away
 *
 * After a refusal or a loss it waits with full jitter (the first time within a second, at most
 * 30 s) and tries again, at once when the network or the machine wakes. Before a resume after
 * sleep, and when the server asks for it, the token is renewed. When the server drains, the new
 * session is opened first; both deliver until everything is joined in the new one.
 */
export class Connection implements Link {
  private current: Session | undefined;
  private opening: Session | undefined;
  private retiring: Session | undefined;
  /** Grows with each start and stop, so that what was begun before is dropped. */
  private life = 0;
  private attempt = 0;
  private previousSid: string | undefined;
  private isMoved = false;
  private expiresAt = Number.POSITIVE_INFINITY;
  private needsFreshToken = false;
  private triedFreshToken = false;
  private isPreparing = false;
  private cancelRetry: Unsubscribe | undefined;
  private cancelHandover: Unsubscribe | undefined;
  private cancelWake: Unsubscribe | undefined;
  private present: LinkStatus = { state: "stopped" };

  private readonly statusListeners = new Subscribers<[LinkStatus]>();
  private readonly eventListeners = new Subscribers<[string, unknown]>();
  private readonly sessionListeners = new Subscribers<[SessionStart]>();

  constructor(private readonly options: ConnectionOptions) {}

  get status(): LinkStatus {
    return this.present;
  }

  onStatus = (listener: (status: LinkStatus) => void) => this.statusListeners.add(listener);
  onEvent = (listener: ServerEventListener) => this.eventListeners.add(listener);
  onSession = (listener: (session: SessionStart) => void) => this.sessionListeners.add(listener);

  /** Where it waits for the next attempt, make it now. */
  start(): void {
    const { state } = this.present;
    if (state !== "offline" && state !== "stopped") return;
    this.attempt = 0;
    if (state === "offline") {
      void this.open();
      return;
    }
    this.life += 1;
    this.triedFreshToken = false;
    this.cancelWake = this.options.watchWake(this.options.clock, (reason) => this.wake(reason));
    void this.open();
  }

  stop(code?: string): void {
    this.life += 1;
    this.isPreparing = false;
    this.cancelRetry?.();
    this.cancelHandover?.();
    this.cancelWake?.();
    for (const session of [this.current, this.opening, this.retiring]) session?.close();
    this.current = this.opening = this.retiring = undefined;
    if (code === undefined) this.previousSid = undefined;
    this.become({ state: "stopped", code });
  }

  async request(event: string, payload: unknown, timeoutMs = REQUEST_TIMEOUT_MS) {
    if (!this.current) throw unreachable(new Error("not connected"));
    return this.current.request(event, payload, timeoutMs);
  }

  settled(): void {
    this.retire();
  }

  // --- opening ---------------------------------------------------------------------------

  private async open(): Promise<void> {
    if (this.opening || this.isPreparing) return;
    const life = this.life;
    this.cancelRetry?.();
    this.isPreparing = true;
    if (!this.current) this.become({ state: "connecting", code: this.present.code });
    const token = await this.token();
    if (life !== this.life) return;
    this.isPreparing = false;
    if (token !== undefined) this.handshake(token);
  }

  private async token(): Promise<string | undefined> {
    const life = this.life;
    const { clock, getToken, handshakeTimeoutMs } = this.options;
    try {
      const given = Promise.resolve(getToken({ fresh: this.needsFreshToken }));
      const token = await within(clock, handshakeTimeoutMs, given);
      if (token === undefined) throw new Error("no token in time");
      return token;
    } catch (error) {
      if (life !== this.life) return undefined;
      const refused = error instanceof RealtimeError ? error : unreachable(error);
      this.isPreparing = false;
      if (refused.retryable) this.retryLater(refused.retryAfterMs, refused.code);
      else this.stop(refused.code);
      return undefined;
    }
  }

  private handshake(token: string): void {
    const { url, path, withCredentials, handshakeTimeoutMs, client } = this.options;
    // Where WebSocket opens and goes dead, as behind some proxies, every second attempt begins
    // with the other transport.
    const isTurned = this.attempt % 2 === 1;
    const transports = isTurned ? this.options.transports.toReversed() : this.options.transports;
    this.options.debug("Connecting to:", url || "this origin");
    const auth: Record<string, unknown> = { token, client, features: ["status_batch", "receipts"] };
    if (this.previousSid) {
      const cause = this.isMoved ? "server_drain" : "network";
      auth.resume = { previous_sid: this.previousSid, cause };
    }
    const wire = this.options.openSocket({
      url,
      path,
      auth,
      transports,
      withCredentials,
      handshakeTimeoutMs,
    });
    this.opening = new Session(
      wire,
      this.options.clock,
      {
        onLive: (session, hello) => this.live(session, hello),
        onEvent: (session, name, data) => this.receive(session, name, data),
        onEnd: (session, end) => this.ended(session, end),
      },
      handshakeTimeoutMs,
    );
  }

  private live(session: Session, hello: Connected): void {
    const before = this.current;
    this.current = session;
    this.opening = undefined;
    this.retiring = before;
    this.attempt = 0;
    this.needsFreshToken = this.triedFreshToken = false;
    this.previousSid = hello.sid;
    this.isMoved = false;
    this.expiresAt = Date.parse(hello.expires_at) || Number.POSITIVE_INFINITY;
    this.options.debug("Connected:", hello.sid);
    this.options.debug("Server confirmed connection:", hello);
    if (before) {
      this.cancelHandover = this.options.clock.after(HANDOVER_MS, () => this.retire());
    }
    this.become({ state: "up", transport: session.transport, sid: hello.sid });
    this.sessionListeners.tell({ gap: before === undefined });
  }

  private retire(): void {
    this.cancelHandover?.();
    this.retiring?.close();
    this.retiring = undefined;
  }

  // --- what comes in ---------------------------------------------------------------------

  private receive(session: Session, name: string, data: unknown): void {
    if (name === "error") this.options.debug("Error:", data);
    if (session === this.current && name === "token:expiring") void this.refresh();
    if (session === this.current && name === "server:draining") {
      this.moveAfter((data as ServerDraining).reconnect_after_ms);
    }
    this.eventListeners.tell(name, data);
  }

  private moveAfter(milliseconds: number): void {
    this.isMoved = true;
    this.cancelRetry?.();
    this.cancelRetry = this.options.clock.after(milliseconds, () => void this.open());
  }

  private async refresh(): Promise<void> {
    const session = this.current;
    if (!session) return;
    try {
      const token = await this.options.getToken({ fresh: true });
      const answer = await session.request("auth:refresh", { token }, REQUEST_TIMEOUT_MS);
      this.expiresAt = Date.parse(String(answer.expires_at)) || this.expiresAt;
    } catch (error) {
      // The session ends at expiry with `token_expired`; the next handshake tries again.
      this.options.debug("Error:", error);
    }
  }

  // --- losing it -------------------------------------------------------------------------

  private ended(session: Session, end: SessionEnd): void {
    if (session === this.retiring) {
      this.retire();
      return;
    }
    const wasLive = session === this.current;
    if (wasLive) this.current = undefined;
    if (session === this.opening) this.opening = undefined;
    this.options.debug(wasLive ? "Disconnected:" : "Connection error:", end.message);
    if (this.isFinal(end, wasLive)) this.stop(end.code);
    else if (end.code === "token_expired" || end.code === "invalid_token") this.renewAndOpen();
    else this.retryLater(end.retryAfterMs, end.code);
  }

  private isFinal(end: SessionEnd, wasLive: boolean): boolean {
    if (end.code === "invalid_token" && !this.triedFreshToken) return false;
    if (wasLive) return end.byServer && endsTheConnection(end.code);
    return endsTheConnection(end.code) || (end.code !== undefined && end.retryable === false);
  }

  private renewAndOpen(): void {
    if (this.triedFreshToken) {
      this.retryLater(undefined, "token_expired");
      return;
    }
    this.needsFreshToken = this.triedFreshToken = true;
    void this.open();
  }

  private retryLater(leastMs = 0, code?: string): void {
    const wait = Math.max(leastMs, retryDelayMs(this.attempt, this.options.random));
    this.attempt += 1;
    this.cancelRetry?.();
    this.cancelRetry = this.options.clock.after(wait, () => {
      this.options.debug(`Attempting reconnection (${this.attempt})`);
      void this.open();
    });
    const isHandover = this.current !== undefined;
    if (isHandover) return;
    this.become({ state: "offline", code, retryAt: this.options.clock.now() + wait });
  }

  // --- waking ----------------------------------------------------------------------------

  wake(reason: WakeReason): void {
    this.attempt = 0;
    if (this.present.state === "offline") void this.open();
    else if (this.current) void this.prove(this.current, reason);
  }

  /** Find out within 3 s whether a session that looks alive is. */
  private async prove(session: Session, reason: WakeReason): Promise<void> {
    const left = this.expiresAt - this.options.clock.now();
    try {
      if (left <= 0) throw new Error("expired");
      await session.request("ping", {}, PROBE_TIMEOUT_MS);
      if (left < REFRESH_EARLY_MS) await this.refresh();
    } catch {
      if (session !== this.current) return;
      this.replace(session, reason);
      this.needsFreshToken ||= left < REFRESH_EARLY_MS;
      void this.open();
    }
  }

  private replace(session: Session, reason: string): void {
    this.options.debug("Disconnected:", reason);
    this.current = undefined;
    session.close();
    this.become({ state: "connecting" });
  }

  private become(status: LinkStatus): void {
    this.present = status;
    this.statusListeners.tell(status);
  }
}
