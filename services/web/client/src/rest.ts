import { type Clock, systemClock } from "./clock.js";
import { RealtimeError, unreachable } from "./errors.js";

/** On a network that went away without a word, a browser itself waits for minutes. */
const TIMEOUT_MS = 30_000;

/** Gives an access token; with `fresh`, one that is newer than the last. */
export type GetToken = (options?: { fresh?: boolean }) => Promise<string> | string;

export interface RestOptions {
  /** Where the API lives; the page's own origin when empty. */
  url: string;
  getToken: GetToken;
  fetch?: typeof fetch;
  clock?: Clock;
}

type Query = Record<string, string | number | undefined | null>;

/**
 * The REST API with its token: a refused, expired token is renewed once, and every
 * refusal becomes a `RealtimeError`.
 */
export class Rest {
  private readonly options: RestOptions;

  constructor(options: RestOptions) {
    this.options = options;
  }

  get<T>(path: string, query: Query = {}): Promise<T> {
    const parameters = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) {
      if (value !== undefined && value !== null && value !== "")
        parameters.set(name, String(value));
    }
    const text = parameters.toString();
    return this.request("GET", text ? `${path}?${text}` : path);
  }

  post<T>(path: string, body: unknown): Promise<T> {
    return this.request("POST", path, body);
  }

  patch<T>(path: string, body: unknown): Promise<T> {
    return this.request("PATCH", path, body);
  }

  delete(path: string): Promise<void> {
    return this.request("DELETE", path);
  }

  private async request<T>(method: string, path: string, body?: unknown): Promise<T> {
    const stop = new AbortController();
    const cancel = (this.options.clock ?? systemClock).after(TIMEOUT_MS, () => stop.abort());
    const send = (fresh: boolean) => this.send(method, path, body, fresh, stop.signal);
    try {
      const answer = await send(false);
      const isRefused = answer.status === 401 && (await isExpired(answer));
      return await read(isRefused ? await send(true) : answer);
    } finally {
      cancel();
    }
  }

  private async send(
    method: string,
    path: string,
    body: unknown,
    fresh: boolean,
    signal: AbortSignal,
  ): Promise<Response> {
    const given = this.options.getToken({ fresh });
    // No wait where there is none: what a user sends leaves before the page is rendered.
    const token = typeof given === "string" ? given : await given.catch(asUnreachable);
    const headers: Record<string, string> = { authorization: `Bearer ${token}` };
    if (body !== undefined) headers["content-type"] = "application/json";
    const send = this.options.fetch ?? fetch;
    return send(`${this.options.url}/api/v1${path}`, {
      method,
      headers,
      signal,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    }).catch(asUnreachable);
  }
}

async function isExpired(answer: Response): Promise<boolean> {
  const body = (await answer
    .clone()
    .json()
    .catch(() => ({}))) as { code?: string };
  return body.code === "token_expired" || body.code === "invalid_token";
}

/** A body that was cut, or that is no JSON as that of a captive portal, tells nothing of the request. */
async function read<T>(answer: Response): Promise<T> {
  if (!answer.ok) throw await problem(answer);
  return answer.status === 204 ? (undefined as T) : answer.json().catch(asUnreachable);
}

function asUnreachable(error: unknown): never {
  throw error instanceof RealtimeError ? error : unreachable(error);
}

/** Turn a refused answer into its error, whatever stands between us and the API said. */
export async function problem(answer: Response): Promise<RealtimeError> {
  const body = (await answer.json().catch((error) => {
    if (!(error instanceof SyntaxError)) throw unreachable(error);
    return {};
  })) as Record<string, unknown>;
  const seconds = Number(answer.headers.get("retry-after"));
  const retryable = body.retryable ?? (answer.status >= 500 || answer.status === 429);
  return RealtimeError.from(
    { ...body, retryable, ...(seconds > 0 ? { retry_after_ms: seconds * 1_000 } : {}) },
    answer.status >= 500 ? "unavailable" : "internal",
  );
}
