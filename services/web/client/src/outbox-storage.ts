import type { OutboxItem } from "./outbox.js";

/** Where messages wait that the server has not taken; survives a reload. */
export interface OutboxStorage {
  all(userId: string): Promise<OutboxItem[]>;
  put(item: OutboxItem): Promise<void>;
  remove(clientMessageId: string): Promise<void>;
}

export class MemoryOutboxStorage implements OutboxStorage {
  private items = new Map<string, OutboxItem>();

  async all(userId: string): Promise<OutboxItem[]> {
    return [...this.items.values()].filter((item) => item.user_id === userId);
  }

  async put(item: OutboxItem): Promise<void> {
    this.items.set(item.client_message_id, item);
  }

  async remove(clientMessageId: string): Promise<void> {
    this.items.delete(clientMessageId);
  }
}

const DATABASE = "pytake-outbox";
const ITEMS = "items";

/** IndexedDB; where a browser refuses it (private windows), messages wait in memory only. */
export class BrowserOutboxStorage implements OutboxStorage {
  private database: Promise<IDBDatabase> | undefined;
  private readonly fallback = new MemoryOutboxStorage();

  async all(userId: string): Promise<OutboxItem[]> {
    return this.run(
      "readonly",
      (items) => items.getAll() as IDBRequest<OutboxItem[]>,
      () => this.fallback.all(userId),
    ).then((items) => items.filter((item) => item.user_id === userId));
  }

  async put(item: OutboxItem): Promise<void> {
    await this.run(
      "readwrite",
      (items) => items.put(item),
      () => this.fallback.put(item),
    );
  }

  async remove(clientMessageId: string): Promise<void> {
    await this.run(
      "readwrite",
      (items) => items.delete(clientMessageId),
      () => this.fallback.remove(clientMessageId),
    );
  }

  private async run<T>(
    mode: IDBTransactionMode,
    work: (items: IDBObjectStore) => IDBRequest<T>,
    otherwise: () => Promise<unknown>,
  ): Promise<T> {
    try {
      this.database ??= open();
      const store = (await this.database).transaction(ITEMS, mode).objectStore(ITEMS);
      return await result(work(store));
    } catch {
      return (await otherwise()) as T;
    }
  }
}

function open(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () =>
    request.result.createObjectStore(ITEMS, { keyPath: "client_message_id" });
  return result(request);
}

function result<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}
