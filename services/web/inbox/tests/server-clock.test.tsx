// @vitest-environment happy-dom
import type { ConversationBody } from "@pytake/realtime";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { useWindow } from "../src/composer/window";
import { followServerClock } from "../src/server-clock";
import { type Page, page } from "./page";

let inbox: Page;

beforeEach(async () => {
  inbox = await page();
});

afterEach(() => {
  vi.restoreAllMocks();
  inbox.close();
});

const minutes = (n: number) => new Date(inbox.server.clock.now() + n * 60_000).toISOString();

test.each([
  ["an hour behind", -60],
  ["right", 0],
  ["an hour ahead", 60],
])("the 24 hours end by the server's clock on a machine that is %s", async (_what, by) => {
  const Window = ({ left }: { left: number }) =>
    useWindow({ window_expires_at: minutes(left), channel_id: "number" } as ConversationBody);
  vi.spyOn(Date, "now").mockImplementation(() => inbox.server.clock.now() + by * 60_000);
  const stop = followServerClock(inbox.client);
  inbox.server.cutAll();
  await inbox.pass(60_000);

  await inbox.show(<Window left={10} />);
  expect(document.body.textContent).toBe("open");
  await inbox.show(<Window left={-10} />);
  expect(document.body.textContent).toBe("closed");

  stop();
});
