import { randomId } from "./random-id.js";
import { Subscribers, type Unsubscribe } from "./subscribers.js";

/**
 * The tabs of one browser and user: one of them leads.
 *
 * Messages reach every other tab, never the sender.
 */
export interface Tabs {
  readonly id: string;
  readonly isLeader: boolean;
  /** Told once, when this tab begins to lead; at once if it leads already. */
  onLead(listener: () => void): Unsubscribe;
  post(message: object): void;
  onMessage(listener: (message: object) => void): Unsubscribe;
  /** Told when the tab of this id is closed or has crashed. */
  onGone(tabId: string, listener: () => void): void;
  close(): void;
}

/** A tab by itself: where the browser has no Web Locks, and outside of browsers. */
export class SoloTab implements Tabs {
  readonly id = "solo";
  readonly isLeader = true;

  onLead(listener: () => void): Unsubscribe {
    listener();
    return () => {};
  }

  post(): void {}

  onMessage(): Unsubscribe {
    return () => {};
  }

  onGone(): void {}

  close(): void {}
}

/**
 * Leader election with Web Locks: the lock of the leader is held for the life of its tab, so
 * that the next one leads in the moment when it closes or crashes. A page that holds a lock is
 * never frozen by the browser, so a leader in the background goes on serving.
 */
export class BrowserTabs implements Tabs {
  readonly id = randomId();
  isLeader = false;
  private readonly channel: BroadcastChannel;
  private readonly name: string;
  private readonly leads = new Subscribers<[]>();
  private readonly messages = new Subscribers<[object]>();
  private readonly ending = new AbortController();

  constructor(name: string) {
    this.name = name;
    this.channel = new BroadcastChannel(name);
    this.channel.onmessage = (event: MessageEvent<object>) => this.messages.tell(event.data);
    this.hold(`${name}:tab:${this.id}`, () => {});
    this.hold(`${name}:leader`, () => {
      this.isLeader = true;
      this.leads.tell();
    });
  }

  onLead(listener: () => void): Unsubscribe {
    if (this.isLeader) listener();
    return this.leads.add(listener);
  }

  post(message: object): void {
    if (!this.ending.signal.aborted) this.channel.postMessage(message);
  }

  onMessage(listener: (message: object) => void): Unsubscribe {
    return this.messages.add(listener);
  }

  onGone(tabId: string, listener: () => void): void {
    navigator.locks
      .request(`${this.name}:tab:${tabId}`, { signal: this.ending.signal }, listener)
      .catch(() => {});
  }

  close(): void {
    this.isLeader = false;
    this.ending.abort();
    this.channel.close();
  }

  /** Wait for the lock, run, and keep it until this tab closes. */
  private hold(lock: string, run: () => void): void {
    const { signal } = this.ending;
    navigator.locks
      .request(lock, { signal }, () => {
        run();
        return new Promise<void>((release) =>
          signal.addEventListener("abort", () => release(), { once: true }),
        );
      })
      .catch(() => {});
  }
}

/** The tabs of this browser, or this tab alone where the browser lacks what sharing needs. */
export function tabsOf(name: string): Tabs {
  const canShare =
    typeof BroadcastChannel !== "undefined" &&
    typeof navigator !== "undefined" &&
    navigator.locks !== undefined;
  return canShare ? new BrowserTabs(name) : new SoloTab();
}
