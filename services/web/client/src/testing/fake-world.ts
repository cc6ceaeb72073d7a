import type {
  CannedReplyBody,
  ConversationBody,
  ConversationRead,
  MessageBody,
  MessageStatus,
  NoteBody,
  ServerToClientEvents,
  UserBody,
} from "../contract.gen.js";

/** What the server sends, by the name of the event. */
export type ServerEvents = {
  [E in keyof ServerToClientEvents]: Parameters<ServerToClientEvents[E]>[0];
};

export interface LoggedEvent {
  seq: number;
  event: "message:new" | "message:status" | "conversation:updated" | "note:new" | "note:removed";
  data: Record<string, unknown>;
  created_at: string;
}

export interface FakeConversation {
  body: ConversationBody;
  messages: MessageBody[];
  notes: NoteBody[];
  log: LoggedEvent[];
  readInbound: Map<string, number>;
}

export type ConversationChange = Partial<
  Pick<ConversationBody, "assigned_to" | "status"> & {
    add_labels: string[];
    remove_labels: string[];
  }
>;

export type Publish = <E extends keyof ServerEvents>(
  conversation: FakeConversation,
  event: E,
  data: ServerEvents[E],
) => void;

/** What the fake server stores: users, and conversations with their logs. */
export class FakeWorld {
  readonly users: UserBody[] = [];
  readonly cannedReplies: CannedReplyBody[] = [];
  readonly conversations = new Map<string, FakeConversation>();
  epoch = "life-1";
  private counter = 0;

  constructor(
    private readonly now: () => number,
    private readonly publish: Publish,
  ) {}

  id(): string {
    this.counter += 1;
    return `00000000-0000-4000-8000-${this.counter.toString(16).padStart(12, "0")}`;
  }

  time(): string {
    return new Date(this.now()).toISOString();
  }

  addUser(name: string, role: UserBody["role"] = "agent"): UserBody {
    const email = `${name.toLowerCase()}@demo.pytake`;
    const user = { id: this.id(), organization_id: "demo", role, name, email };
    this.users.push(user);
    return user;
  }

  addConversation(name: string, assignedTo: string | null = null): FakeConversation {
    const time = this.time();
    const body: ConversationBody = {
      id: this.id(),
      contact: { id: this.id(), name, phone: "+5511999990000" },
      channel_id: null,
      status: "open",
      assigned_to: assignedTo,
      unread_count: 0,
      inbound_count: 0,
      last_message: null,
      last_seq: 0,
      epoch: this.epoch,
      window_expires_at: new Date(this.now() + 86_400_000).toISOString(),
      labels: [],
      created_at: time,
      updated_at: time,
    };
    const conversation = { body, messages: [], notes: [], log: [], readInbound: new Map() };
    this.conversations.set(body.id, conversation);
    return conversation;
  }

  /** The customer writes. */
  receive(conversation: FakeConversation, text: string): MessageBody {
    const message = this.message(conversation, { direction: "inbound", content: { text } });
    conversation.body.inbound_count += 1;
    return this.append(conversation, message);
  }

  /** A colleague, or this user from another device, writes. */
  write(conversation: FakeConversation, more: Partial<MessageBody>): MessageBody {
    return this.append(
      conversation,
      this.message(conversation, { direction: "outbound", ...more }),
    );
  }

  report(conversation: FakeConversation, message: MessageBody, status: MessageStatus): void {
    const stored = conversation.messages.find(({ id }) => id === message.id);
    if (stored) stored.status = status;
    this.log(conversation, "message:status", {
      conversation_id: conversation.body.id,
      message_id: message.id,
      status,
      timestamp: this.time(),
    });
  }

  change(conversation: FakeConversation, change: ConversationChange): void {
    const { add_labels = [], remove_labels = [], ...moved } = change;
    const labels = new Set([...conversation.body.labels, ...add_labels]);
    for (const label of remove_labels) labels.delete(label);
    Object.assign(conversation.body, moved, { labels: [...labels].sort() });
    const { id, assigned_to, status } = conversation.body;
    const told = { conversation_id: id, assigned_to, status, labels: conversation.body.labels };
    this.log(conversation, "conversation:updated", told);
  }

  /** A colleague, or this user, notes something; the customer never hears of it. */
  note(conversation: FakeConversation, authorId: string, text: string, id = this.id()): NoteBody {
    const note = {
      id,
      conversation_id: conversation.body.id,
      seq: conversation.body.last_seq + 1,
      author_id: authorId,
      text,
      created_at: this.time(),
    };
    conversation.notes.push(note);
    this.log(conversation, "note:new", note);
    return note;
  }

  removeNote(conversation: FakeConversation, id: string): void {
    conversation.notes = conversation.notes.filter((note) => note.id !== id);
    this.log(conversation, "note:removed", { conversation_id: conversation.body.id, id });
  }

  /** This user has read up to `seq`; returns what `conversation:read` says. */
  read(conversation: FakeConversation, userId: string, seq: number): ConversationRead {
    const read = conversation.messages.filter(
      (message) => message.direction === "inbound" && message.seq <= seq,
    );
    conversation.readInbound.set(userId, read.length);
    const { id, unread_count } = this.bodyFor(conversation, userId);
    return { conversation_id: id, seq, unread_count };
  }

  bodyFor(conversation: FakeConversation, userId: string): ConversationBody {
    const read = conversation.readInbound.get(userId) ?? 0;
    const { body } = conversation;
    return { ...structuredClone(body), unread_count: body.inbound_count - read, epoch: this.epoch };
  }

  private append(conversation: FakeConversation, message: MessageBody): MessageBody {
    conversation.messages.push(message);
    conversation.body.last_message = message;
    this.log(conversation, "message:new", { ...message });
    return message;
  }

  private message(conversation: FakeConversation, more: Partial<MessageBody>): MessageBody {
    const isInbound = more.direction === "inbound";
    return {
      id: this.id(),
      conversation_id: conversation.body.id,
      seq: conversation.body.last_seq + 1,
      direction: "outbound",
      sender_type: isInbound ? "contact" : "agent",
      sender_id: null,
      message_type: "text",
      content: {},
      status: isInbound ? "delivered" : "pending",
      whatsapp_message_id: null,
      client_message_id: null,
      created_at: this.time(),
      sent_at: null,
      ...more,
    };
  }

  private log(
    conversation: FakeConversation,
    event: LoggedEvent["event"],
    data: Record<string, unknown>,
  ): void {
    const { body } = conversation;
    body.last_seq += 1;
    body.updated_at = this.time();
    const numbered = { ...data, seq: body.last_seq };
    conversation.log.push({ seq: body.last_seq, event, data: numbered, created_at: this.time() });
    this.publish(conversation, event, numbered as never);
  }
}
