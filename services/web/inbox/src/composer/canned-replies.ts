import type { CannedRepliesChanged, CannedReplyBody, RealtimeClient } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { useEffect, useSyncExternalStore } from "react";

interface Known {
  replies: readonly CannedReplyBody[];
  state: "idle" | "loading" | "ready" | "failed";
}

/** The canned replies of the team: loaded when first asked for, and kept live from then on. */
class CannedStore {
  private known: Known = { replies: [], state: "idle" };
  private readonly listeners = new Set<() => void>();

  constructor(private readonly client: RealtimeClient) {
    client.onEvent((name, data) => {
      if (name === "canned_replies:changed") this.changed(data as CannedRepliesChanged);
      else if (name === "resync" && this.known.state !== "idle") void this.load();
    });
  }

  subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  snapshot = (): Known => this.known;

  async load(): Promise<void> {
    if (this.known.state === "loading") return;
    this.become({ ...this.known, state: "loading" });
    try {
      const page = await this.client.rest.get<{ items: CannedReplyBody[] }>("/canned-replies");
      this.become({ replies: sorted(page.items), state: "ready" });
    } catch {
      this.become({ ...this.known, state: "failed" });
    }
  }

  changed({ reply, removed_id }: CannedRepliesChanged): void {
    const gone = reply?.id ?? removed_id;
    const others = this.known.replies.filter(({ id }) => id !== gone);
    this.become({ ...this.known, replies: sorted(reply ? [...others, reply] : others) });
  }

  private become(known: Known): void {
    this.known = known;
    for (const listener of this.listeners) listener();
  }
}

function sorted(replies: readonly CannedReplyBody[]): readonly CannedReplyBody[] {
  return [...replies].sort((a, b) => a.shortcut.localeCompare(b.shortcut));
}

const stores = new WeakMap<RealtimeClient, CannedStore>();

function storeOf(client: RealtimeClient): CannedStore {
  const store = stores.get(client) ?? new CannedStore(client);
  stores.set(client, store);
  return store;
}

/** The replies; they are asked for once somebody wants them. */
export function useCannedReplies(isWanted: boolean): Known {
  const store = storeOf(useClient());
  const known = useSyncExternalStore(store.subscribe, store.snapshot);
  const { state } = known;
  useEffect(() => {
    if (isWanted && state === "idle") void store.load();
  }, [isWanted, state, store]);
  return known;
}
