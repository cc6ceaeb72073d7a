const KEY = "pytake.reloaded-at";
/** A page that has just been reloaded would only fail again. */
const ONCE_MS = 60_000;

/**
 * After an update the parts that an open page has not loaded yet are gone from the server: load
 * the new page, once. Drafts and messages that wait survive that.
 */
export function reloadWhenStale(reload: () => void = () => location.reload()): () => void {
  const failed = (event: Event) => {
    const last = Number(sessionStorage.getItem(KEY));
    if (Date.now() - last < ONCE_MS) return;
    sessionStorage.setItem(KEY, String(Date.now()));
    event.preventDefault();
    reload();
  };
  window.addEventListener("vite:preloadError", failed);
  return () => window.removeEventListener("vite:preloadError", failed);
}
