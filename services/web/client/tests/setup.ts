import { RealtimeClient, type RealtimeOptions } from "../src/client.js";
import type { UserBody } from "../src/contract.gen.js";
import { MemoryOutboxStorage } from "../src/outbox-storage.js";
import { SoloTab } from "../src/tabs.js";
import { FakeServer } from "../src/testing/index.js";
import type { WakeReason } from "../src/wake.js";

export interface Bench {
  server: FakeServer;
  user: UserBody;
  client: RealtimeClient;
  wake: (reason: WakeReason) => void;
  states: string[];
}

/** A fake server, one user and a client that is not started yet. */
export function bench(more: Partial<RealtimeOptions> = {}, server = new FakeServer()): Bench {
  const user = server.world.users[0] ?? server.world.addUser("Ana");
  let wake: (reason: WakeReason) => void = () => {};
  let lastId = 0;
  const client = new RealtimeClient({
    userId: user.id,
    getToken: () => server.token(user.id),
    clock: server.clock,
    random: () => 0.5,
    fetch: server.fetch,
    openSocket: server.openSocket,
    storage: new MemoryOutboxStorage(),
    tabs: new SoloTab(),
    newId: () => `message-${++lastId}`,
    watchWake: (_clock, listener) => {
      wake = listener;
      return () => {};
    },
    ...more,
  });
  const states: string[] = [];
  client.subscribe(() => {
    const { state } = client.snapshot();
    if (states.at(-1) !== state) states.push(state);
  });
  return { server, user, client, wake: (reason) => wake(reason), states };
}

export async function started(more: Partial<RealtimeOptions> = {}): Promise<Bench> {
  const made = bench(more);
  made.client.start();
  await made.server.clock.advance(100);
  return made;
}
