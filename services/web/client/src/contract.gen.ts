// Written by `make contract` from services/realtime/pytake/contract. Do not edit.

/** A fresh token of the same user and organization. */
export interface AuthRefresh {
  token: string;
}

/** A canned reply of the organization was written or changed, or it is gone. */
export interface CannedRepliesChanged {
  reply?: CannedReplyBody | null;
  removed_id?: string | null;
}

export interface CannedReplyBody {
  id: string;
  shortcut: string;
  text: string;
}

export interface ChangeCannedReply {
  shortcut?: string | null;
  text?: string | null;
}

/** PATCH /channels/{id}; a new token starts a number that was stopped. */
export interface ChangeChannel {
  name?: string | null;
  access_token?: string | null;
  sends_read_marks?: boolean | null;
  sends_typing?: boolean | null;
}

/**
 * PATCH /conversations/{id}; a member that is left out stays as it is.
 *
 * Labels are added and removed by name: two who label at once do not undo each other.
 */
export interface ChangeConversation {
  assigned_to?: string | null;
  status?: ConversationStatus | null;
  add_labels?: Array<string>;
  remove_labels?: Array<string>;
}

export interface ChangeUser {
  name?: string | null;
  role?: Role | null;
  active?: boolean | null;
}

export interface Connected {
  message: string;
  user_id: string;
  sid: string;
  server_time: string;
  expires_at: string;
}

/** `marketing_opt_out_at`: since when the customer wants no marketing messages. */
export interface ContactBody {
  id: string;
  name: string;
  phone: string | null;
  marketing_opt_out_at?: string | null;
}

export interface ConversationBody {
  id: string;
  contact: ContactBody;
  channel_id: string | null;
  status: ConversationStatus;
  assigned_to: string | null;
  unread_count: number;
  inbound_count: number;
  last_message: MessageBody | null;
  last_seq: number;
  epoch: string;
  window_expires_at: string | null;
  labels: Array<string>;
  created_at: string;
  updated_at: string;
}

export interface ConversationRead {
  conversation_id: string;
  seq: number;
  unread_count: number;
}

export type ConversationStatus = "open" | "closed";

export interface ConversationUpdated {
  conversation_id: string;
  seq: number;
  assigned_to: string | null;
  status: ConversationStatus;
  labels?: Array<string>;
}

export type Direction = "inbound" | "outbound";

/** The event was carried out; nothing more to say. */
export interface Done {
  ok?: true;
}

export interface ErrorEvent {
  message: string;
  code: string;
  retryable: boolean;
  retry_after_ms?: number | null;
  event?: string | null;
  trace_id?: string | null;
}

export interface EventItem {
  seq: number;
  event: string;
  data: Record<string, unknown>;
  created_at: string;
}

/** The `auth` object of the Socket.IO CONNECT packet. */
export interface HandshakeAuth {
  token: string;
  client?: HandshakeClient | null;
  resume?: HandshakeResume | null;
  features?: Array<string>;
}

export interface HandshakeClient {
  name?: string;
  version?: string;
}

/**
 * What a reconnecting client knows of its last connection: `cause` is `network`, or
 * `server_drain` after `server:draining`; it is counted and decides nothing. A
 * `previous_sid` that cannot name a connection is ignored.
 */
export interface HandshakeResume {
  previous_sid?: string | null;
  cause?: string | null;
}

/** The row is gone as of `seq`; an `inbox:updated` that is older comes too late to count. */
export interface InboxRemoved {
  conversation_id: string;
  seq: number;
}

export interface InboxUpdated {
  conversation: ConversationBody;
}

/** Join a conversation; with `last_seq`, what was missed is replayed first. */
export interface JoinConversation {
  conversation_id: string;
  last_seq?: number | null;
  epoch?: string | null;
}

/** Join up to 200 conversations; counts as one event. */
export interface JoinConversations {
  conversations: Array<JoinConversation>;
}

/** The same as `joined_conversation`, which comes beside it. */
export interface Joined {
  ok?: true;
  conversation_id: string;
  seq: number;
  epoch: string;
  recovered: boolean;
  replayed: number;
}

/** `seq` is the head at this moment; `replayed` events follow, then live ones. */
export interface JoinedConversation {
  conversation_id: string;
  message: string;
  seq: number;
  epoch: string;
  recovered: boolean;
  replayed: number;
}

/** One answer for each conversation asked for, in the same order. */
export interface JoinedMany {
  ok?: true;
  conversations: Array<Joined | RefusedAnswer>;
}

export interface LeaveConversation {
  conversation_id: string;
}

export interface Left {
  ok?: true;
  conversation_id: string;
}

export interface LeftConversation {
  conversation_id: string;
  reason?: "forbidden" | null;
}

export interface Login {
  email: string;
  password: string;
}

export interface MarkConversationRead {
  seq: number;
}

/** The user has read up to `seq`; never moves back. */
export interface MarkRead {
  conversation_id: string;
  seq: number;
}

export interface MarkedRead {
  ok?: true;
  conversation_id: string;
  seq: number;
  unread_count: number;
}

/** POST /media; `id` is the `media_id` of a message's content. */
export interface MediaBody {
  id: string;
  mime_type: string;
  filename: string | null;
  size: number;
  media_url: string;
}

export interface MessageBody {
  id: string;
  conversation_id: string;
  seq: number;
  direction: Direction;
  sender_type: SenderType;
  sender_id: string | null;
  message_type: MessageType;
  content: Record<string, unknown>;
  status: MessageStatus;
  error?: Record<string, unknown> | null;
  whatsapp_message_id: string | null;
  client_message_id: string | null;
  retry_of?: string | null;
  created_at: string;
  sent_at: string | null;
  status_times?: StatusTimes | null;
}

/** What was shown, and when by the client's clock (milliseconds since 1970). */
export interface MessageReceipt {
  items: Array<ReceiptItem>;
  t: number;
}

/** In rank order: a later member outranks an earlier one. */
export type MessageStatus = "pending" | "sent" | "failed" | "delivered" | "read";

/** Replaces the single statuses from `first_seq` to `last_seq`, all of them. */
export interface MessageStatusBatch {
  conversation_id: string;
  first_seq: number;
  last_seq: number;
  updates: Array<MessageStatusChanged>;
}

export interface MessageStatusChanged {
  conversation_id: string;
  message_id: string;
  seq: number;
  status: MessageStatus;
  timestamp: string;
  error?: Record<string, unknown> | null;
}

export type MessageType = "text" | "image" | "video" | "audio" | "document" | "sticker" | "location" | "contacts" | "reaction" | "interactive" | "template" | "unsupported";

/** POST /canned-replies: what `/shortcut` stands for in the whole organization. */
export interface NewCannedReply {
  shortcut: string;
  text: string;
}

/**
 * POST /channels. With `sends_read_marks` customers see that an agent has read (blue ticks),
 * with `sends_typing` that one types.
 */
export interface NewChannel {
  name: string;
  phone_number_id: string;
  access_token: string;
  sends_read_marks?: boolean;
  sends_typing?: boolean;
}

export interface NewContact {
  name: string;
  phone: string;
}

export interface NewUser {
  email: string;
  name: string;
  role: Role;
  password?: string | null;
}

/** What a colleague noted; `seq` is its place among the messages. */
export interface NoteBody {
  id: string;
  conversation_id: string;
  seq: number;
  author_id: string;
  text: string;
  created_at: string;
}

/** A note was taken back; its text is gone from the log, too. */
export interface NoteRemoved {
  conversation_id: string;
  id: string;
  seq: number;
}

export interface OpenConversation {
  contact: NewContact;
  channel_id?: string | null;
}

/** Answered by `pong` with the server's time and the same `t`. */
export interface Ping {
  t?: unknown;
}

export interface Pong {
  timestamp: string;
  t?: unknown;
}

export interface Ponged {
  ok?: true;
  timestamp: string;
  t?: unknown;
}

/** Who has the conversation open: at most 50 by name, and how many in all. */
export interface PresenceUpdate {
  conversation_id: string;
  viewers: Array<Viewer>;
  count: number;
}

/** `application/problem+json`, RFC 9457. */
export interface Problem {
  code: string;
  title: string;
  detail: string;
  retryable: boolean;
  trace_id: string;
}

export interface ReceiptItem {
  conversation_id: string;
  seq: number;
}

export interface RefreshToken {
  refresh_token: string;
}

export interface Refreshed {
  ok?: true;
  expires_at: string;
}

/** The event was refused, for the reason that `error.code` names. */
export interface RefusedAnswer {
  ok?: false;
  error: ErrorEvent;
}

export interface Resync {
  scope: "inbox";
}

/** POST /users/{id}/revoke; without `token_id` (a token's `jti`) every session ends. */
export interface RevokeUser {
  token_id?: string | null;
}

export type Role = "admin" | "agent" | "bot";

/**
 * POST /conversations/{id}/messages.
 *
 * `client_message_id` makes a retry safe: the same again gives the same message.
 * `based_on_seq` is the newest `seq` that the author has seen.
 */
export interface SendMessage {
  message_type?: MessageType;
  content: Record<string, unknown>;
  client_message_id?: string | null;
  based_on_seq?: number | null;
  retry_of?: string | null;
}

/** POST /messages, the seed's path: the conversation is in the body. */
export interface SendMessageTo {
  message_type?: MessageType;
  content: Record<string, unknown>;
  client_message_id?: string | null;
  based_on_seq?: number | null;
  retry_of?: string | null;
  conversation_id: string;
}

export type SenderType = "contact" | "agent" | "bot";

export interface ServerDraining {
  reconnect_after_ms: number;
}

/**
 * When a message reached each status. What is `implied` was never reported itself: who reads
 * a message has been given it, whatever came of the report.
 */
export interface StatusTimes {
  sent?: string | null;
  delivered?: string | null;
  read?: string | null;
  failed?: string | null;
  implied?: Array<MessageStatus>;
}

export interface TokenExpiring {
  expires_at: string;
}

export interface Tokens {
  access_token: string;
  refresh_token: string;
  token_type: "bearer";
  expires_in: number;
  user: UserBody;
}

/** Others in the conversation see that the user is typing, for at most 6 s. */
export interface TypingStart {
  conversation_id: string;
}

export interface TypingStop {
  conversation_id: string;
}

export interface UserBody {
  id: string;
  organization_id: string;
  role: Role;
  name: string;
  email: string | null;
}

export interface UserTyping {
  conversation_id: string;
  user_id: string;
  typing: boolean;
}

export interface Viewer {
  user_id: string;
  name: string;
}

/**
 * POST /conversations/{id}/notes: for colleagues, never for the customer.
 *
 * An `id` of one's own makes a retry safe: the same again gives the same note.
 */
export interface WriteNote {
  text: string;
  id?: string | null;
}

/** The closed list of error codes: decide by these, never by the text. */
export type ErrorCode =
  "invalid_token"
  | "token_expired"
  | "token_revoked"
  | "forbidden"
  | "not_found"
  | "not_joined"
  | "invalid_payload"
  | "unknown_event"
  | "payload_too_large"
  | "rate_limited"
  | "connection_cap"
  | "superseded"
  | "too_many_rooms"
  | "window_closed"
  | "stale_view"
  | "conflict"
  | "slow_consumer"
  | "draining"
  | "overloaded"
  | "unavailable"
  | "internal";

/** Whether the same request may succeed later. */
export const RETRYABLE: Readonly<Record<ErrorCode, boolean>> = {
  invalid_token: false,
  token_expired: true,
  token_revoked: false,
  forbidden: false,
  not_found: false,
  not_joined: false,
  invalid_payload: false,
  unknown_event: false,
  payload_too_large: false,
  rate_limited: true,
  connection_cap: false,
  superseded: false,
  too_many_rooms: false,
  window_closed: false,
  stale_view: false,
  conflict: false,
  slow_consumer: true,
  draining: true,
  overloaded: true,
  unavailable: true,
  internal: true,
};

/** What the server sends. */
export interface ServerToClientEvents {
  "connected": (data: Connected) => void;
  "joined_conversation": (data: JoinedConversation) => void;
  "left_conversation": (data: LeftConversation) => void;
  "message:new": (data: MessageBody) => void;
  "message:status": (data: MessageStatusChanged) => void;
  "message:status_batch": (data: MessageStatusBatch) => void;
  "conversation:updated": (data: ConversationUpdated) => void;
  "note:new": (data: NoteBody) => void;
  "note:removed": (data: NoteRemoved) => void;
  "inbox:updated": (data: InboxUpdated) => void;
  "inbox:removed": (data: InboxRemoved) => void;
  "conversation:read": (data: ConversationRead) => void;
  "canned_replies:changed": (data: CannedRepliesChanged) => void;
  "resync": (data: Resync) => void;
  "user_typing": (data: UserTyping) => void;
  "presence:update": (data: PresenceUpdate) => void;
  "token:expiring": (data: TokenExpiring) => void;
  "server:draining": (data: ServerDraining) => void;
  "error": (data: ErrorEvent) => void;
  "pong": (data: Pong) => void;
}

/** What a client may send. */
export interface ClientToServerEvents {
  "join_conversation": (
    payload: JoinConversation,
    acknowledge?: (answer: Joined | RefusedAnswer) => void,
  ) => void;
  "join_conversations": (
    payload: JoinConversations,
    acknowledge?: (answer: JoinedMany | RefusedAnswer) => void,
  ) => void;
  "leave_conversation": (
    payload: LeaveConversation,
    acknowledge?: (answer: Left | RefusedAnswer) => void,
  ) => void;
  "typing_start": (
    payload: TypingStart,
    acknowledge?: (answer: Done | RefusedAnswer) => void,
  ) => void;
  "typing_stop": (
    payload: TypingStop,
    acknowledge?: (answer: Done | RefusedAnswer) => void,
  ) => void;
  "mark_read": (
    payload: MarkRead,
    acknowledge?: (answer: MarkedRead | RefusedAnswer) => void,
  ) => void;
  "message:receipt": (
    payload: MessageReceipt,
    acknowledge?: (answer: Done | RefusedAnswer) => void,
  ) => void;
  "auth:refresh": (
    payload: AuthRefresh,
    acknowledge?: (answer: Refreshed | RefusedAnswer) => void,
  ) => void;
  "ping": (
    payload: Ping,
    acknowledge?: (answer: Ponged | RefusedAnswer) => void,
  ) => void;
}
