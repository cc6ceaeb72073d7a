import type { ConversationBody, MessageBody } from "../contract.gen.js";
import type { FakeConversation, FakeWorld } from "./fake-world.js";

export interface FakeRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  body: Record<string, unknown>;
  userId: string;
}

export type FakeAnswer = { status: number; body: unknown; headers?: Record<string, string> };

export function refuse(
  status: number,
  code: string,
  more: Record<string, unknown> = {},
): FakeAnswer {
  const retryable = status >= 500 || status === 429;
  const body = { code, title: code, detail: code, retryable, trace_id: "fake-trace", ...more };
  return { status, body };
}

const ok = (body: unknown, status = 200): FakeAnswer => ({ status, body });

/** The routes of the contract that clients of conversations use. */
export function answer(world: FakeWorld, request: FakeRequest): FakeAnswer {
  const [, , , resource, id, part] = request.path.split("/");
  if (resource === "users") return ok({ items: world.users, next_cursor: null });
  if (resource === "templates") return ok({ items: [], next_cursor: null });
  if (resource === "labels") return ok({ items: labels(world), next_cursor: null });
  if (resource === "canned-replies") return ok({ items: world.cannedReplies, next_cursor: null });
  if (resource !== "conversations") return refuse(404, "not_found");
  if (id === undefined) return ok(list(world, request));
  const conversation = world.conversations.get(id);
  if (!conversation) return refuse(404, "not_found");
  if (part === undefined) return one(world, conversation, request);
  if (part === "messages" && request.method === "POST") return post(world, conversation, request);
  if (part === "messages") return ok(messages(conversation, request.query));
  if (part === "events") return ok(events(conversation, request.query));
  if (part === "read")
    return ok(world.read(conversation, request.userId, Number(request.body.seq)));
  if (part === "notes") return notes(world, conversation, request);
  return refuse(404, "not_found");
}

function list(world: FakeWorld, { query, userId }: FakeRequest) {
  const assigned = query.get("assigned_to");
  const text = query.get("q")?.toLowerCase();
  const label = query.get("label");
  const wanted = (row: ConversationBody) =>
    (!query.get("status") || row.status === query.get("status")) &&
    (!assigned || row.assigned_to === (assigned === "me" ? userId : null)) &&
    (!label || row.labels.includes(label)) &&
    (!text || row.contact.name.toLowerCase().includes(text));
  const rows = [...world.conversations.values()]
    .map((conversation) => world.bodyFor(conversation, userId))
    .filter(wanted)
    .sort((a, b) => b.updated_at.localeCompare(a.updated_at));
  const start = Number(query.get("cursor") ?? 0);
  const end = start + Number(query.get("limit") ?? 50);
  return { items: rows.slice(start, end), next_cursor: end < rows.length ? String(end) : null };
}

function one(world: FakeWorld, conversation: FakeConversation, request: FakeRequest): FakeAnswer {
  if (request.method === "PATCH") world.change(conversation, request.body);
  return ok(world.bodyFor(conversation, request.userId));
}

function messages({ messages: all }: FakeConversation, query: URLSearchParams) {
  const before = Number(query.get("before_seq") ?? Number.POSITIVE_INFINITY);
  const older = all.filter((message) => message.seq < before);
  const items = older.slice(-Number(query.get("limit") ?? 50));
  const hasMore = items.length < older.length;
  return { items: structuredClone(items), next_cursor: hasMore ? String(items[0]?.seq) : null };
}

function events({ log }: FakeConversation, query: URLSearchParams) {
  const after = Number(query.get("after_seq") ?? 0);
  const missed = log.filter((event) => event.seq > after);
  const items = missed.slice(0, Number(query.get("limit") ?? 50));
  const hasMore = items.length < missed.length;
  return { items: structuredClone(items), next_cursor: hasMore ? "more" : null };
}

function labels(world: FakeWorld) {
  const used = [...world.conversations.values()].flatMap(({ body }) => body.labels);
  return [...new Set(used)].sort().map((name) => ({ name }));
}

function notes(world: FakeWorld, conversation: FakeConversation, request: FakeRequest): FakeAnswer {
  const { method, body, path, userId } = request;
  if (method === "POST") {
    const id = typeof body.id === "string" ? body.id : undefined;
    return ok(world.note(conversation, userId, String(body.text), id), 201);
  }
  if (method === "DELETE") {
    world.removeNote(conversation, path.split("/").at(-1) ?? "");
    return ok(undefined, 204);
  }
  return ok({ items: structuredClone(conversation.notes), next_cursor: null });
}

function post(world: FakeWorld, conversation: FakeConversation, request: FakeRequest): FakeAnswer {
  const { client_message_id, based_on_seq, ...body } = request.body;
  const known = conversation.messages.find(
    (message) => client_message_id && message.client_message_id === client_message_id,
  );
  if (known) return ok(known);
  if (typeof based_on_seq === "number") {
    const isForeign = (message: MessageBody) =>
      message.seq > based_on_seq && message.sender_id !== request.userId;
    if (conversation.messages.some(isForeign)) {
      const missing = conversation.log.filter((event) => event.seq > based_on_seq);
      return refuse(409, "stale_view", { missing });
    }
  }
  const expires = conversation.body.window_expires_at;
  if (body.message_type !== "template" && (!expires || expires < world.time())) {
    return refuse(422, "window_closed");
  }
  const more = { client_message_id, sender_id: request.userId, ...body };
  return ok(world.write(conversation, more as Partial<MessageBody>), 201);
}
