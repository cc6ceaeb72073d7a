import { type Clock, within } from "./clock.js";
import type { Connected } from "./contract.gen.js";
import { RealtimeError, unreachable } from "./errors.js";
import type { HandshakeRefusal, WireSocket } from "./wire.js";

export interface SessionHandlers {
  /** The server said `connected`: the session is live. */
  onLive(session: Session, hello: Connected): void;
  onEvent(session: Session, name: string, data: unknown): void;
  /** The handshake was refused, or the session ended. Told once, never after `close`. */
  onEnd(session: Session, end: SessionEnd): void;
}

export interface SessionEnd extends HandshakeRefusal {
  byServer: boolean;
}

/** One connection to one pod, from its handshake to its end. */
export class Session {
  sid: string | undefined;
  isLive = false;
  private over = false;
  /** An `error` that answers no event, as long as nothing follows it: so a server says goodbye. */
  private lastWords: RealtimeError | undefined;

  constructor(
    private readonly wire: WireSocket,
    private readonly clock: Clock,
    private readonly handlers: SessionHandlers,
    handshakeTimeoutMs: number,
  ) {
    const giveUp = clock.after(handshakeTimeoutMs, () => {
      if (!this.isLive) this.end({ message: "the handshake took too long", byServer: false });
    });
    wire.listen({
      onConnect: () => {},
      onRefused: (refusal) => this.end({ ...refusal, byServer: false }),
      onDisconnect: (reason, byServer) => this.end({ ...this.reasonOf(reason), byServer }),
      onEvent: (name, data, acknowledge) => {
        if (name === "connected") giveUp();
        this.receive(name, data);
        acknowledge?.();
      },
    });
  }

  get transport(): string | undefined {
    return this.wire.transport();
  }

  async request(
    event: string,
    payload: unknown,
    timeoutMs: number,
  ): Promise<Record<string, unknown>> {
    const answer = new Promise<unknown>((resolve) => this.wire.emit(event, payload, resolve));
    const body = (await within(this.clock, timeoutMs, answer)) as
      | Record<string, unknown>
      | undefined;
    if (body === undefined) throw unreachable(new Error(`no answer to ${event}`));
    if (body.ok === false) throw RealtimeError.from(body.error);
    return body;
  }

  close(): void {
    this.over = true;
    this.wire.close();
  }

  private receive(name: string, data: unknown): void {
    if (this.over) return;
    const isFarewell = name === "error" && (data as { event?: string }).event === undefined;
    this.lastWords = isFarewell ? RealtimeError.from(data) : undefined;
    if (name === "connected") {
      const hello = data as Connected;
      this.sid = hello.sid;
      this.isLive = true;
      this.handlers.onLive(this, hello);
    }
    this.handlers.onEvent(this, name, data);
  }

  private reasonOf(reason: string): HandshakeRefusal {
    const error = this.lastWords;
    return { message: reason, code: error?.code, retryAfterMs: error?.retryAfterMs };
  }

  private end(end: SessionEnd): void {
    if (this.over) return;
    this.close();
    this.handlers.onEnd(this, end);
  }
}
