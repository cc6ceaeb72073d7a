// @vitest-environment happy-dom
import { settle } from "@pytake/realtime/testing";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { Bell } from "../src/frame/bell";

/** One exclusive lock after the rules of Web Locks, for all tabs of a test. */
class OneLock {
  private holder: { refuse: (reason: Error) => void } | undefined;
  private readonly waiting: (() => void)[] = [];

  request(_name: string, { steal }: LockOptions, hold: () => unknown): Promise<unknown> {
    return new Promise((resolve, refuse) => {
      const grant = () => {
        const holder = { refuse };
        this.holder = holder;
        void Promise.resolve()
          .then(hold)
          .then((value) => {
            resolve(value);
            if (this.holder === holder) this.next();
          });
      };
      if (steal) this.holder?.refuse(new DOMException("stolen", "AbortError"));
      if (steal || !this.holder) grant();
      else this.waiting.push(grant);
    });
  }

  private next(): void {
    this.holder = undefined;
    this.waiting.shift()?.();
  }
}

/** A browser has one focus: each tab is told of its own alone. */
class Tab {
  hasFocus = false;
  readonly bell: Bell;
  private readonly listeners: (() => void)[] = [];

  constructor() {
    this.bell = this.inside(() => new Bell());
  }

  get rings(): boolean {
    return this.inside(() => this.bell.mayRing);
  }

  focus(): void {
    this.hasFocus = true;
    this.inside(() => {
      for (const listener of this.listeners) listener();
    });
  }

  blur(): void {
    this.hasFocus = false;
  }

  private inside<T>(work: () => T): T {
    const add = vi
      .spyOn(window, "addEventListener")
      .mockImplementation((_name, listener) => void this.listeners.push(listener as () => void));
    const focus = vi.spyOn(document, "hasFocus").mockReturnValue(this.hasFocus);
    try {
      return work();
    } finally {
      add.mockRestore();
      focus.mockRestore();
    }
  }
}

beforeEach(() => {
  vi.stubGlobal("navigator", { locks: new OneLock() });
});

afterEach(() => {
  vi.unstubAllGlobals();
});

async function threeTabs(): Promise<Tab[]> {
  const tabs = [new Tab(), new Tab(), new Tab()];
  await settle();
  return tabs;
}

const ringing = (tabs: readonly Tab[]) => tabs.map((tab) => tab.rings);

test("of several tabs that nobody looks at one rings", async () => {
  expect(ringing(await threeTabs())).toEqual([true, false, false]);
});

test("no tab rings while one of them is looked at", async () => {
  const tabs = await threeTabs();

  tabs[1]?.focus();
  await settle();

  expect(ringing(tabs)).toEqual([false, false, false]);
});

test("the tab that was looked at last rings, and another one when it is closed", async () => {
  const tabs = await threeTabs();
  for (const turn of [1, 2, 1, 2]) {
    tabs[turn]?.focus();
    await settle();
    tabs[turn]?.blur();
  }
  expect(ringing(tabs)).toEqual([false, false, true]);

  tabs[2]?.bell.close();
  await settle();

  expect(ringing(tabs.slice(0, 2)).filter(Boolean)).toHaveLength(1);
});

test("without Web Locks a tab rings while it is not looked at", () => {
  vi.stubGlobal("navigator", {});

  const tab = new Tab();

  expect(tab.rings).toBe(true);
  tab.hasFocus = true;
  expect(tab.rings).toBe(false);
});
