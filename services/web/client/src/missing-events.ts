import type { Clock } from "./clock.js";
import { type ConversationLog, durableEvent } from "./log.js";
import type { Rest } from "./rest.js";
import { pauseMs } from "./retry.js";
import type { Unsubscribe } from "./subscribers.js";

const PAGE = 200;
/** Servers heal their own holes within a second; after that we ask. */
const ASK_AFTER_MS = 1_500;

interface EventPage {
  items: { seq: number; event: string; data: unknown }[];
  next_cursor: string | null;
}

/** Fetches by REST what the socket did not bring of one conversation. */
export class MissingEvents {
  private failures = 0;
  private isClosed = false;
  private cancel: Unsubscribe | undefined;

  constructor(
    private readonly path: string,
    private readonly context: { rest: Rest; clock: Clock },
    private readonly log: ConversationLog,
    private readonly isShort: () => boolean,
    private readonly fetchNow: () => void,
  ) {}

  fetchLater(wait = ASK_AFTER_MS): void {
    const before = this.log.cursor;
    this.cancel ??= this.context.clock.after(wait, () => {
      this.cancel = undefined;
      if (!this.isShort()) return;
      // A long replay that moves is left alone.
      if (this.log.cursor > before) this.fetchLater();
      else this.fetchNow();
    });
  }

  fetchAfterFailure(retryAfterMs?: number): void {
    this.failures += 1;
    this.fetchLater(pauseMs(this.failures, retryAfterMs));
  }

  /** Apply what stands after the cursor; returns whether the last page brought the log on. */
  async fetch(onPage: () => void): Promise<boolean> {
    const before = this.log.cursor;
    const query = { after_seq: before, limit: PAGE };
    const page = await this.context.rest.get<EventPage>(`${this.path}/events`, query);
    for (const item of page.items) {
      const event = durableEvent(item.event, item.data);
      if (event) this.log.apply(event);
      else this.log.pass(item.seq);
    }
    this.failures = 0;
    onPage();
    if (page.next_cursor === null || this.isClosed) return this.log.cursor > before;
    return this.fetch(onPage);
  }

  /** Nothing is missing any more. */
  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  close(): void {
    this.isClosed = true;
    this.stop();
  }
}
