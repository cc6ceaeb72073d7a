export const BASE_DELAY_MS = 1_000;
export const MAX_DELAY_MS = 30_000;

/** Wait before attempt 0, 1, 2 …, in milliseconds. Full jitter: clients of a lost pod come back spread out. */
export function retryDelayMs(attempt: number, random: () => number = Math.random): number {
  return random() * Math.min(MAX_DELAY_MS, BASE_DELAY_MS * 2 ** attempt);
}

/** Wait after the n-th failure in a row of a page's own request: as long as the server asks, else 3 s, 6 s, 12 s … */
export function pauseMs(failures: number, retryAfterMs?: number): number {
  return retryAfterMs ?? Math.min(MAX_DELAY_MS, 3_000 * 2 ** (failures - 1));
}
