import type { Clock } from "./clock.js";
import type { RealtimeError } from "./errors.js";
import type { Link } from "./link.js";
import type { Rest } from "./rest.js";
import type { Unsubscribe } from "./subscribers.js";

const TELL_EVERY_MS = 1_000;
const TELL_AGAIN_MS = 30_000;

/** How far this user has read one conversation: told until the server has confirmed it. */
export class ReadPosition {
  private wanted = 0;
  private told = 0;
  private confirmed = 0;
  private isClosed = false;
  private cancel: Unsubscribe | undefined;

  constructor(
    private readonly conversationId: string,
    private readonly context: { link: Link; rest: Rest; clock: Clock },
  ) {}

  /** Never back; told at once the first time, then at most once a second. */
  moveTo(seq: number): void {
    if (seq <= this.wanted) return;
    this.wanted = seq;
    this.tellAfter(this.told === 0 ? 0 : TELL_EVERY_MS);
  }

  /** A new session: what the one before may have lost is told now. */
  tellAgain(): void {
    this.told = this.confirmed;
    this.tell();
  }

  close(): void {
    this.isClosed = true;
    this.tell();
  }

  private tellAfter(milliseconds: number): void {
    this.cancel ??= this.context.clock.after(milliseconds, () => this.tell());
  }

  private tell(): void {
    this.cancel?.();
    this.cancel = undefined;
    const seq = this.wanted;
    if (seq <= this.told) return;
    this.told = seq;
    this.send(seq).then(
      () => {
        this.confirmed = Math.max(this.confirmed, seq);
      },
      ({ retryable, retryAfterMs }: RealtimeError) => {
        this.told = this.confirmed;
        if (retryable && !this.isClosed) this.tellAfter(retryAfterMs ?? TELL_AGAIN_MS);
      },
    );
  }

  /** By REST where there is no socket: before the first session, and while polling. */
  private send(seq: number): Promise<unknown> {
    const { link, rest } = this.context;
    return link.status.state === "up"
      ? link.request("mark_read", { conversation_id: this.conversationId, seq })
      : rest.post(`/conversations/${this.conversationId}/read`, { seq });
  }
}
