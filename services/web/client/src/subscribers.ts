/** Stops the subscription; calling it again does nothing. */
export type Unsubscribe = () => void;

/**
 * The listeners of one kind of news.
 *
 * A listener that is added twice is called once. One that throws does not keep the
 * others from hearing; its error is reported to the console, where a page's own monitoring sees it.
 */
export class Subscribers<Args extends unknown[]> {
  private listeners = new Set<(...args: Args) => void>();

  add(listener: (...args: Args) => void): Unsubscribe {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  remove(listener: (...args: Args) => void): void {
    this.listeners.delete(listener);
  }

  clear(): void {
    this.listeners.clear();
  }

  get size(): number {
    return this.listeners.size;
  }

  tell(...args: Args): void {
    for (const listener of [...this.listeners]) {
      try {
        listener(...args);
      } catch (error) {
        console.error("[PyTake] a listener failed", error);
      }
    }
  }
}
