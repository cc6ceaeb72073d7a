/**
 * The page over the fake server: no backend, every state within reach from the console.
 * `npm run dev`, then /demo/. `demo.server` breaks things, `demo.world` lets things happen.
 */
import "@fontsource-variable/inter/index.css";
import "../src/styles/tokens.css";
import "../src/styles/base.css";
import {
  type Clock,
  MemoryOutboxStorage,
  RealtimeClient,
  SoloTab,
  systemClock,
} from "@pytake/realtime";
import { FakeServer } from "@pytake/realtime/testing";
import { createRoot } from "react-dom/client";
import { followTheme } from "../src/preferences";
import { Workspace } from "../src/Workspace";
import { SpeechProvider } from "../src/words";
import { fill } from "./world";

const server = new FakeServer<Clock>(systemClock);
const { me, conversations } = fill(server.world);
const client = new RealtimeClient({
  userId: me.id,
  getToken: () => server.token(me.id),
  fetch: server.fetch,
  openSocket: server.openSocket,
  storage: new MemoryOutboxStorage(),
  tabs: new SoloTab(),
});
client.start();
Object.assign(window, { demo: { server, world: server.world, client, conversations } });

followTheme();
const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <SpeechProvider>
      <Workspace
        client={client}
        user={me}
        getToken={async () => server.token(me.id)}
        signOut={async () => location.reload()}
      />
    </SpeechProvider>,
  );
}
