import { MemoryOutboxStorage, RealtimeClient, SoloTab, type UserBody } from "@pytake/realtime";
import { RealtimeProvider } from "@pytake/realtime/react";
import { FakeServer } from "@pytake/realtime/testing";
import { act, type ReactNode } from "react";
import { createRoot } from "react-dom/client";
import { SessionContext } from "../src/session/use-session";

declare global {
  var IS_REACT_ACT_ENVIRONMENT: boolean;
}
globalThis.IS_REACT_ACT_ENVIRONMENT = true;

/** Parts of the inbox in a page without layout, before a fake server. */
export interface Page {
  server: FakeServer;
  client: RealtimeClient;
  user: UserBody;
  show: (element: ReactNode) => Promise<void>;
  /** Let time pass, for the server and for what waits. */
  pass: (milliseconds?: number) => Promise<void>;
  /** Whatever changes what is shown. */
  act: (work: () => void) => Promise<void>;
  find: <E extends HTMLElement = HTMLElement>(selector: string) => E | null;
  button: (name: string) => HTMLButtonElement | undefined;
  close: () => void;
}

export async function page(): Promise<Page> {
  const server = new FakeServer();
  const user = server.world.addUser("Ana");
  const client = new RealtimeClient({
    userId: user.id,
    getToken: () => server.token(user.id),
    clock: server.clock,
    fetch: server.fetch,
    openSocket: server.openSocket,
    watchWake: () => () => {},
    storage: new MemoryOutboxStorage(),
    tabs: new SoloTab(),
  });
  const session = {
    user,
    getToken: () => server.token(user.id),
    signOut: async () => {},
  };
  const place = document.body.appendChild(document.createElement("div"));
  const root = createRoot(place);
  const pass = (milliseconds = 100) => act(() => server.clock.advance(milliseconds));
  client.start();
  await pass();
  return {
    server,
    client,
    user,
    pass,
    async show(element) {
      act(() =>
        root.render(
          <SessionContext.Provider value={session}>
            <RealtimeProvider client={client}>{element}</RealtimeProvider>
          </SessionContext.Provider>,
        ),
      );
      await pass();
    },
    async act(work) {
      act(work);
      await pass();
    },
    find: (selector) => document.querySelector(selector),
    button: (name) =>
      [...document.querySelectorAll("button")].find(
        (button) =>
          (button.ariaLabel ?? button.getAttribute("aria-label") ?? "") === name ||
          button.textContent === name,
      ),
    close() {
      act(() => root.unmount());
      place.remove();
      client.stop();
    },
  };
}

/** Write into a field as a person does. */
export function type(field: HTMLTextAreaElement | HTMLInputElement, text: string): void {
  const own = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(field), "value");
  own?.set?.call(field, text);
  field.dispatchEvent(new Event("input", { bubbles: true }));
}

export function press(target: HTMLElement, key: string): void {
  target.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true }));
}
