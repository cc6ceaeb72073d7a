/**
 * Time and timers, handed in so that a test can hold them.
 */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Run once, later; the returned function cancels. */
  after(milliseconds: number, run: () => void): () => void;
  /** Run again and again; the returned function cancels. */
  every(milliseconds: number, run: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(milliseconds, run) {
    const timer = setTimeout(run, milliseconds);
    return () => clearTimeout(timer);
  },
  every(milliseconds, run) {
    const timer = setInterval(run, milliseconds);
    return () => clearInterval(timer);
  },
};

/** Wait for a promise at most so long; resolves to `undefined` when it took longer. */
export function within<T>(
  clock: Clock,
  milliseconds: number,
  work: Promise<T>,
): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(milliseconds, () => resolve(undefined));
    work.then(resolve, reject).finally(cancel);
  });
}
