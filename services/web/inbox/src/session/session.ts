import { problem, RealtimeError, type Tokens, UNREACHABLE, type UserBody } from "@pytake/realtime";

const KEY = "pytake.session";
const LOCK = "pytake:refresh";
/** A token in the last fifth of its life, at most its last 30 s, is renewed before it is used. */
const EARLY_MS = 30_000;
const EARLY_SHARE = 0.2;

interface Stored {
  refresh_token: string;
  user: UserBody;
}

interface Access {
  token: string;
  renewAt: number;
}

/**
 * Who is signed in. The access token lives in memory only; the refresh token in storage, so
 * that a reload does not ask for the password. It is good for one use: tabs take turns.
 */
export class Session {
  private access: Access | undefined;
  private renewing: Promise<string> | undefined;
  private onEnd: (() => void) | undefined;

  private constructor(
    readonly user: UserBody,
    access?: Access,
  ) {
    this.access = access;
  }

  static async signIn(email: string, password: string): Promise<Session> {
    const tokens = await call<Tokens>("/auth/login", { email, password });
    keep(tokens);
    return new Session(tokens.user, accessOf(tokens));
  }

  /** The session that an earlier page left, if there is one. */
  static restore(): Session | undefined {
    const stored = read();
    return stored ? new Session(stored.user) : undefined;
  }

  /** Told when the session has ended: it cannot be renewed, or another tab signed out or in. */
  whenEnded(listener: () => void): () => void {
    const follow = ({ key }: StorageEvent) => {
      if ((key === KEY || key === null) && !this.own()) this.end(signedOut());
    };
    this.onEnd = listener;
    window.addEventListener("storage", follow);
    return () => {
      this.onEnd = undefined;
      window.removeEventListener("storage", follow);
    };
  }

  /** The token itself where it is good, so that a request goes out before the page is painted. */
  getToken = ({ fresh = false }: { fresh?: boolean } = {}): string | Promise<string> => {
    const isGood = this.access && Date.now() < this.access.renewAt;
    if (this.access && isGood && !fresh) return this.access.token;
    this.renewing ??= this.renew().finally(() => {
      this.renewing = undefined;
    });
    return this.renewing;
  };

  async signOut(): Promise<void> {
    const stored = this.own();
    if (!stored) return;
    localStorage.removeItem(KEY);
    const headers = { authorization: `Bearer ${this.access?.token ?? ""}` };
    const body = { refresh_token: stored.refresh_token };
    await call("/auth/logout", body, headers).catch(() => undefined);
  }

  private async renew(): Promise<string> {
    return alone(async () => {
      const stored = this.own();
      if (!stored) throw this.end(signedOut());
      const { refresh_token } = stored;
      const tokens = await call<Tokens>("/auth/refresh", { refresh_token }).catch((error) => {
        throw error instanceof RealtimeError && !error.retryable ? this.end(error, stored) : error;
      });
      // Another tab may have signed out, or in as somebody else, while this one waited.
      if (!this.own()) throw this.end(signedOut());
      keep({ ...tokens, user: tokens.user ?? stored.user });
      this.access = accessOf(tokens);
      return tokens.access_token;
    });
  }

  /** What is stored, where it is this user's. */
  private own(): Stored | undefined {
    const stored = read();
    return stored?.user.id === this.user.id ? stored : undefined;
  }

  /** Stop here; what is stored goes only where it is what the server refused. */
  private end(error: RealtimeError, refused?: Stored): RealtimeError {
    if (refused && read()?.refresh_token === refused.refresh_token) localStorage.removeItem(KEY);
    this.access = undefined;
    this.onEnd?.();
    return error;
  }
}

function signedOut(): RealtimeError {
  return new RealtimeError("invalid_token", "signed out");
}

function accessOf(tokens: Tokens): Access {
  const life = tokens.expires_in * 1_000;
  const renewAt = Date.now() + life - Math.min(EARLY_MS, life * EARLY_SHARE);
  return { token: tokens.access_token, renewAt };
}

function keep({ refresh_token, user }: Pick<Tokens, "refresh_token" | "user">): void {
  localStorage.setItem(KEY, JSON.stringify({ refresh_token, user } satisfies Stored));
}

function read(): Stored | undefined {
  try {
    const stored = JSON.parse(localStorage.getItem(KEY) ?? "null") as Stored | null;
    return stored?.refresh_token && stored.user ? stored : undefined;
  } catch {
    return undefined;
  }
}

/** One tab at a time; pages without Web Locks are not protected from each other. */
function alone<T>(work: () => Promise<T>): Promise<T> {
  return navigator.locks ? (navigator.locks.request(LOCK, work) as Promise<T>) : work();
}

async function call<T>(path: string, body: unknown, headers: HeadersInit = {}): Promise<T> {
  let answer: Response;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
    });
  } catch (error) {
    throw new RealtimeError(UNREACHABLE, String(error), { retryable: true });
  }
  if (!answer.ok) throw await problem(answer);
  return answer.status === 204 ? (undefined as T) : ((await answer.json()) as T);
}
