import type { ConversationBody, MessageBody, NoteBody, Viewer } from "./contract.gen.js";
import type { RealtimeError } from "./errors.js";
import type { OutboxItem } from "./outbox.js";

/** "gone": it does not exist, or this user may no longer see it. */
export type ConversationPhase = "loading" | "ready" | "failed" | "gone";

export interface ConversationSnapshot {
  readonly id: string;
  readonly phase: ConversationPhase;
  readonly error: RealtimeError | undefined;
  readonly conversation: ConversationBody | undefined;
  /** Complete from the first one to the newest, each once, in `seq` order. */
  readonly messages: readonly MessageBody[];
  /** What colleagues noted beside these messages, in `seq` order. */
  readonly notes: readonly NoteBody[];
  readonly hasOlder: boolean;
  readonly isLoadingOlder: boolean;
  /** What this user sent and the server has not taken yet. */
  readonly outgoing: readonly OutboxItem[];
  readonly lastSeq: number;
  /** How many events are known to be missing at this moment. */
  readonly behind: number;
  readonly typing: readonly string[];
  readonly viewers: readonly Viewer[];
  readonly viewerCount: number;
}
