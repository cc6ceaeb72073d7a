// @vitest-environment happy-dom
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Session } from "../src/session/session";

const KEY = "pytake.session";
const ADMIN = { id: "admin", name: "Admin", role: "admin" };
const ANA = { id: "ana", name: "Ana", role: "agent" };

/** What the server answers to the next refresh; a test may hold it back. */
let answer: () => Promise<Response>;
const asked: string[] = [];

function store(user: { id: string }): void {
  localStorage.setItem(KEY, JSON.stringify({ refresh_token: `${user.id}-1`, user }));
}

function stored(): { refresh_token: string; user: { id: string } } | null {
  return JSON.parse(localStorage.getItem(KEY) ?? "null");
}

/** The other tab changed what is stored: a browser tells all tabs but that one. */
function otherTab(change: () => void): void {
  change();
  window.dispatchEvent(new StorageEvent("storage", { key: KEY }));
}

function restored(): { session: Session; onEnd: ReturnType<typeof vi.fn> } {
  const session = Session.restore();
  if (!session) throw new Error("nothing is stored");
  const onEnd = vi.fn();
  session.whenEnded(onEnd);
  return { session, onEnd };
}

beforeEach(() => {
  asked.length = 0;
  store(ADMIN);
  answer = async () =>
    Response.json({ access_token: "new", refresh_token: "admin-2", user: ADMIN, expires_in: 900 });
  vi.stubGlobal("fetch", (_url: string, { body }: { body: string }) => {
    asked.push(JSON.parse(body).refresh_token);
    return answer();
  });
});

afterEach(() => {
  vi.unstubAllGlobals();
  localStorage.clear();
});

test("a session renews with its own refresh token and keeps the next one", async () => {
  const { session, onEnd } = restored();

  expect(await session.getToken()).toBe("new");
  expect(asked).toEqual(["admin-1"]);
  expect(stored()?.refresh_token).toBe("admin-2");
  expect(onEnd).not.toHaveBeenCalled();
});

test("a session never renews with the token of who signed in in another tab", async () => {
  const { session, onEnd } = restored();
  store(ANA);

  await expect(session.getToken()).rejects.toMatchObject({ code: "invalid_token" });

  expect(asked).toEqual([]);
  expect(onEnd).toHaveBeenCalledOnce();
  expect(stored()?.user.id).toBe("ana");
});

test("who signs in in another tab while this one renews keeps their session", async () => {
  const { session, onEnd } = restored();
  const renewed = answer;
  answer = () => {
    store(ANA);
    return renewed();
  };

  await expect(session.getToken()).rejects.toMatchObject({ code: "invalid_token" });

  expect(onEnd).toHaveBeenCalledOnce();
  expect(stored()).toMatchObject({ refresh_token: "ana-1", user: { id: "ana" } });
});

test.each([
  ["signs out", () => localStorage.removeItem(KEY)],
  ["signs in as somebody else", () => store(ANA)],
])("a tab that %s ends the session of the others at once", (_what, change) => {
  const { onEnd } = restored();

  otherTab(change);

  expect(onEnd).toHaveBeenCalledOnce();
});

test("a tab that renews leaves the session of the others alone", () => {
  const { onEnd } = restored();

  otherTab(() => store(ADMIN));

  expect(onEnd).not.toHaveBeenCalled();
});

test("a refused refresh token is forgotten, a newer one is not", async () => {
  const refused = () => Response.json({ code: "invalid_token", retryable: false }, { status: 401 });
  answer = async () => {
    store(ANA);
    return refused();
  };
  await expect(restored().session.getToken()).rejects.toMatchObject({ code: "invalid_token" });
  expect(stored()?.user.id).toBe("ana");

  store(ADMIN);
  answer = async () => refused();
  await expect(restored().session.getToken()).rejects.toMatchObject({ code: "invalid_token" });
  expect(stored()).toBeNull();
});

test("signing out leaves the session of somebody else alone", async () => {
  const { session } = restored();
  store(ANA);

  await session.signOut();

  expect(asked).toEqual([]);
  expect(stored()?.user.id).toBe("ana");
});
