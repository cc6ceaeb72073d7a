import { expect, test } from "vitest";
import { Subscribers } from "../src/subscribers.js";
import type { Tabs } from "../src/tabs.js";
import { FakeServer, settle } from "../src/testing/index.js";
import { type Bench, bench } from "./setup.js";

/** The tabs of one browser, without a browser: the first that is open leads. */
class Browser {
  readonly tabs: Tab[] = [];

  open(): Tab {
    const tab = new Tab(`tab-${this.tabs.length}`, this);
    this.tabs.push(tab);
    if (this.tabs.filter((each) => each.isOpen).length === 1) tab.lead();
    return tab;
  }
}

class Tab implements Tabs {
  isLeader = false;
  isOpen = true;
  private readonly leads = new Subscribers<[]>();
  readonly messages = new Subscribers<[object]>();
  readonly gone = new Map<string, () => void>();

  constructor(
    readonly id: string,
    private readonly browser: Browser,
  ) {}

  lead(): void {
    this.isLeader = true;
    this.leads.tell();
  }

  onLead(listener: () => void) {
    if (this.isLeader) listener();
    return this.leads.add(listener);
  }

  post(message: object): void {
    for (const tab of this.browser.tabs) {
      if (tab !== this && tab.isOpen) tab.messages.tell(structuredClone(message));
    }
  }

  onMessage(listener: (message: object) => void) {
    return this.messages.add(listener);
  }

  onGone(tabId: string, listener: () => void): void {
    this.gone.set(tabId, listener);
  }

  close(): void {
    this.isOpen = false;
    this.isLeader = false;
    const next = this.browser.tabs.find((tab) => tab.isOpen);
    if (next && !next.isLeader) next.lead();
    for (const tab of this.browser.tabs) if (tab.isOpen) tab.gone.get(this.id)?.();
  }
}

async function twoTabs(): Promise<{ server: FakeServer; first: Bench; second: Bench }> {
  const server = new FakeServer();
  const browser = new Browser();
  const first = bench({ tabs: browser.open(), newId: () => "from-first" }, server);
  const second = bench({ tabs: browser.open(), newId: () => "from-second" }, server);
  first.client.start();
  second.client.start();
  await server.clock.advance(100);
  return { server, first, second };
}

test("two tabs take one connection and both are online", async () => {
  const { server, first, second } = await twoTabs();

  expect(server.connections.size).toBe(1);
  expect(first.client.snapshot().state).toBe("online");
  expect(second.client.snapshot().state).toBe("online");
});

test("what one tab opens and sends, the other sees live", async () => {
  const { server, first, second } = await twoTabs();
  const { body } = server.world.addConversation("Carla");
  const here = first.client.openConversation(body.id).conversation;
  const there = second.client.openConversation(body.id).conversation;
  await server.clock.advance(100);

  second.client.send(body.id, { content: { text: "da segunda aba" } });
  await server.clock.advance(100);

  for (const conversation of [here, there]) {
    expect(conversation.snapshot().messages).toHaveLength(1);
    expect(conversation.snapshot().outgoing).toEqual([]);
  }
});

test("a conversation is left only when no tab has it open", async () => {
  const { server, first, second } = await twoTabs();
  const { body } = server.world.addConversation("Carla");
  const here = first.client.openConversation(body.id);
  const there = second.client.openConversation(body.id);
  await server.clock.advance(100);
  const [connection] = server.connections;

  here.close();
  await server.clock.advance(6_000);
  expect(connection?.rooms).toContain(body.id);
  there.close();
  await server.clock.advance(6_000);

  expect(connection?.rooms).not.toContain(body.id);
});

test("when the leader closes the next tab connects and misses nothing", async () => {
  const { server, first, second } = await twoTabs();
  const fake = server.world.addConversation("Carla");
  const { conversation } = second.client.openConversation(fake.body.id);
  await server.clock.advance(100);

  first.client.stop();
  server.world.receive(fake, "na troca");
  await settle();
  await server.clock.advance(2_000);

  expect(server.connections.size).toBe(1);
  expect(second.client.snapshot().state).toBe("online");
  expect(conversation.snapshot().messages).toMatchObject([{ content: { text: "na troca" } }]);
});

test("what a following tab notices makes the leader look after the connection", async () => {
  const { server, first, second } = await twoTabs();
  for (const connection of server.connections) connection.isDeaf = true;

  second.wake("visible");
  await server.clock.advance(3_100);

  expect(server.handshakes).toHaveLength(2);
  expect(first.client.snapshot().state).toBe("online");
  expect(second.client.snapshot().state).toBe("online");
});

test("what a closed tab had open is left for it", async () => {
  const { server, second } = await twoTabs();
  const { body } = server.world.addConversation("Carla");
  second.client.openConversation(body.id);
  await server.clock.advance(100);
  const [connection] = server.connections;
  expect(connection?.rooms).toContain(body.id);

  second.client.stop();
  await server.clock.advance(100);

  expect(connection?.rooms).not.toContain(body.id);
});
