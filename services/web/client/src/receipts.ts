import type { Clock } from "./clock.js";
import type { MessageReceipt } from "./contract.gen.js";

const ONE_IN = 16;
const EVERY_MS = 1_000;

/**
 * Tells the server when messages reached the page, for its figures: one in sixteen, those of
 * a second together. Lost ones are not sent again.
 */
export class Receipts {
  private items: MessageReceipt["items"] = [];

  constructor(
    private readonly clock: Clock,
    private readonly random: () => number,
    private readonly send: (payload: MessageReceipt) => Promise<unknown>,
  ) {}

  shown({ conversation_id, seq }: { conversation_id: string; seq: number }): void {
    if (this.random() * ONE_IN >= 1) return;
    this.items.push({ conversation_id, seq });
    if (this.items.length > 1) return;
    const t = this.clock.now();
    this.clock.after(EVERY_MS, () => {
      const items = this.items;
      this.items = [];
      this.send({ items, t }).catch(() => {});
    });
  }
}
