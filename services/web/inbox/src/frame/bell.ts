const BELL = "pytake:bell";

/**
 * Which tab of the browser rings: the one that was looked at last, and while it is looked at, none.
 *
 * The bell is a lock. The tab that gets the focus takes it away from the others; when its holder is
 * closed, the next one has it. Without Web Locks each tab rings for itself.
 */
export class Bell {
  private isHeld = !navigator.locks;
  private isQueued = false;
  private isOver = false;
  private release = () => {};

  constructor() {
    window.addEventListener("focus", this.take);
    if (document.hasFocus()) this.take();
    else this.queue();
  }

  get mayRing(): boolean {
    return this.isHeld && !document.hasFocus();
  }

  close(): void {
    this.isOver = true;
    window.removeEventListener("focus", this.take);
    this.release();
  }

  private take = () => {
    if (!this.isHeld) this.ask({ steal: true });
  };

  private queue(): void {
    if (this.isQueued || this.isHeld) return;
    this.isQueued = true;
    this.ask({});
  }

  private ask(options: LockOptions): void {
    const hold = () => {
      if (!options.steal) this.isQueued = false;
      if (this.isOver) return undefined;
      this.isHeld = true;
      return new Promise<void>((release) => {
        this.release = release;
      });
    };
    navigator.locks.request(BELL, options, hold).catch((error: DOMException) => {
      // Where the page may not use locks at all, it rings for itself.
      this.isHeld = error.name !== "AbortError";
      if (!this.isOver) this.queue();
    });
  }
}
