import type { ErrorCode } from "./contract.gen.js";

/** Codes after which the client stays away until somebody asks it to come back. */
const FINAL_ON_SOCKET: ReadonlySet<string> = new Set<ErrorCode>([
  "connection_cap",
  "superseded",
  "token_revoked",
  "invalid_token",
]);

/** Whether a connection that ended with this code must not be opened again by itself. */
export function endsTheConnection(code: string | undefined): boolean {
  return code !== undefined && FINAL_ON_SOCKET.has(code);
}

/** A refused request. Decide by `code`; the text may change and is not for programs. */
export class RealtimeError extends Error {
  readonly code: string;
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly traceId: string | undefined;
  /** Everything else that the server said, such as the missing events of `stale_view`. */
  readonly body: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, options: RealtimeErrorOptions = {}) {
    super(message);
    this.name = "RealtimeError";
    this.code = code;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs;
    this.traceId = options.traceId;
    this.body = options.body ?? {};
  }

  /** The same error, or what was thrown instead of one. */
  static of(thrown: unknown): RealtimeError {
    return thrown instanceof RealtimeError ? thrown : new RealtimeError("internal", String(thrown));
  }

  /** The error object of an acknowledgement, an `error` event or a problem document. */
  static from(body: unknown, fallbackCode = "internal"): RealtimeError {
    const fields = (typeof body === "object" && body !== null ? body : {}) as Record<
      string,
      unknown
    >;
    const text = fields.detail || fields.message || fields.title;
    return new RealtimeError(
      typeof fields.code === "string" ? fields.code : fallbackCode,
      typeof text === "string" ? text : fallbackCode,
      {
        retryable: fields.retryable === true,
        retryAfterMs: typeof fields.retry_after_ms === "number" ? fields.retry_after_ms : undefined,
        traceId: typeof fields.trace_id === "string" ? fields.trace_id : undefined,
        body: fields,
      },
    );
  }
}

export interface RealtimeErrorOptions {
  retryable?: boolean;
  retryAfterMs?: number | undefined;
  traceId?: string | undefined;
  body?: Record<string, unknown>;
}

/** Nothing is known of the request: no answer came. It may be sent again. */
export const UNREACHABLE = "unreachable";

export function unreachable(cause: unknown): RealtimeError {
  const text = cause instanceof Error ? cause.message : "no answer";
  return new RealtimeError(UNREACHABLE, text, { retryable: true });
}
