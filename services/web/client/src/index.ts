/**
 * `@pytake/realtime`: conversations that stay complete, ordered and free of duplicates.
 *
 * `RealtimeClient` keeps the list, the open conversations and the queue of messages to send;
 * `socketClient` is the small surface for pages that keep their own lists. React hooks are in
 * `@pytake/realtime/react`, a fake server for tests in `@pytake/realtime/testing`.
 */
export {
  type ConnectionSnapshot,
  type ConnectionState,
  RealtimeClient,
  type RealtimeOptions,
} from "./client.js";
export { type Clock, systemClock } from "./clock.js";
export type * from "./contract.gen.js";
export { RETRYABLE } from "./contract.gen.js";
export type { Conversation } from "./conversation.js";
export type { ConversationPhase, ConversationSnapshot } from "./conversation-snapshot.js";
export { endsTheConnection, RealtimeError, UNREACHABLE } from "./errors.js";
export {
  INBOX_VIEWS,
  type Inbox,
  type InboxList,
  type InboxSnapshot,
  type InboxView,
} from "./inbox.js";
export type { Draft, OutboxItem } from "./outbox.js";
export {
  BrowserOutboxStorage,
  MemoryOutboxStorage,
  type OutboxStorage,
} from "./outbox-storage.js";
export { type GetToken, problem, Rest } from "./rest.js";
export { retryDelayMs } from "./retry.js";
export { SocketClient, type SocketClientOptions, socketClient } from "./seed.js";
export type { Unsubscribe } from "./subscribers.js";
export { BrowserTabs, SoloTab, type Tabs } from "./tabs.js";
export { VERSION } from "./version.js";
export type { OpenSocket, WireHandlers, WireOptions, WireSocket } from "./wire.js";
