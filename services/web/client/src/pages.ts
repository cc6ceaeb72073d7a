import type { Clock } from "./clock.js";
import type { MessageBody, NoteBody } from "./contract.gen.js";
import { RealtimeError } from "./errors.js";
import type { ConversationLog } from "./log.js";
import type { Rest } from "./rest.js";
import { pauseMs } from "./retry.js";
import type { Unsubscribe } from "./subscribers.js";

const PAGE = 50;
const NOTES_PAGE = 200;

interface Page<T> {
  items: T[];
  next_cursor: string | null;
}

/** What REST gives of one conversation: its newest messages and notes, then older ones. */
export class Pages {
  hasOlder = false;
  /** Also after a failure, until the next try makes sense. */
  isLoadingOlder = false;
  private olderNotes: string | null = null;
  /** Grows with each beginning: older pages of the one before are dropped. */
  private beginnings = 0;
  private failures = 0;
  private cancelPause: Unsubscribe | undefined;

  constructor(
    private readonly path: string,
    private readonly context: { rest: Rest; clock: Clock },
    private readonly log: ConversationLog,
    private readonly changed: () => void,
  ) {}

  /** Put the newest page into the log; returns whether it was not begun anew meanwhile. */
  async begin(): Promise<boolean> {
    this.beginnings += 1;
    const beginning = this.beginnings;
    const [page] = await Promise.all([this.messages(), this.notes()]);
    if (beginning !== this.beginnings) return false;
    this.take(page);
    return true;
  }

  /** Put the page before the oldest message into the log. Never rejects. */
  async older(): Promise<void> {
    if (!this.hasOlder || this.isLoadingOlder) return;
    this.isLoadingOlder = true;
    this.changed();
    const beginning = this.beginnings;
    try {
      const page = await this.messages(this.log.firstSeq);
      while (this.olderNotes !== null && Number(this.olderNotes) > (page.items[0]?.seq ?? 0)) {
        await this.notes(this.olderNotes);
      }
      if (beginning === this.beginnings) this.take(page);
      this.failures = 0;
      this.mayGoOn();
    } catch (error) {
      this.failures += 1;
      const wait = pauseMs(this.failures, RealtimeError.of(error).retryAfterMs);
      this.cancelPause = this.context.clock.after(wait, () => this.mayGoOn());
    }
  }

  close(): void {
    this.cancelPause?.();
  }

  private mayGoOn(): void {
    this.isLoadingOlder = false;
    this.changed();
  }

  private take(page: Page<MessageBody>): void {
    this.log.merge(page.items);
    this.hasOlder = page.next_cursor !== null;
  }

  private messages(beforeSeq?: number): Promise<Page<MessageBody>> {
    const query = { before_seq: beforeSeq, limit: PAGE };
    return this.context.rest.get<Page<MessageBody>>(`${this.path}/messages`, query);
  }

  /** A server that knows no notes yet, as in the middle of an update, has none. */
  private async notes(before?: string): Promise<void> {
    const query = { before_seq: before, limit: NOTES_PAGE };
    const page = await this.context.rest
      .get<Page<NoteBody>>(`${this.path}/notes`, query)
      .catch((error: RealtimeError) => {
        if (error.code !== "not_found") throw error;
        return { items: [], next_cursor: null };
      });
    this.log.mergeNotes(page.items);
    this.olderNotes = page.next_cursor;
  }
}
