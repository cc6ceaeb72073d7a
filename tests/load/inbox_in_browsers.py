"""How fast the inbox is, measured inside the browsers that show it, before a real cluster.

    python tests/load/inbox_in_browsers.py                 # or only one part: reaction, thread

Starts the cluster (NGINX with TLS, two gateways, API, relay, PostgreSQL, Redis) and two browsers
on this machine and prints: Enter in one until the message is painted on the other's screen; a
thread of 10,000 messages (first paint, time per key and frames while scrolling with all of them
loaded); the requests of an inbox that stands open for a minute; and the layout shift of the
session. Exits 1 when a target is missed.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Browser, Page, expect

from cluster.cluster import Cluster
from e2e.browsers import Person, chromium
from e2e.long_thread import fill_thread

PASSWORD = "a password of the measurement"
MESSAGES = 80
PAUSE_MS = 400
LONG = 10_000
IDLE_MS = 60_000

WATCH_SCREEN = """
() => {
  window.arrivals = {};
  const clock = () => performance.timeOrigin + performance.now();
  new MutationObserver(() => {
    for (const bubble of document.querySelectorAll("[data-message] .content-text")) {
      const text = bubble.textContent;
      if (text.startsWith("n.") && !(text in window.arrivals)) {
        window.arrivals[text] = 0;
        // Shown once the frame that holds it has been painted.
        requestAnimationFrame(() => setTimeout(() => { window.arrivals[text] = clock(); }));
      }
    }
  }).observe(document.body, { childList: true, subtree: true, characterData: true });
}
"""
WATCH_ENTER = """
() => {
  window.sent = {};
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && event.target.value?.startsWith("n.")) {
      window.sent[event.target.value] = performance.timeOrigin + performance.now();
    }
  }, true);
}
"""
WATCH_SHIFT = """
() => {
  window.shift = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}
"""
TIME_KEYS = """
() => {
  window.keys = [];
  document.addEventListener("keydown", () => {
    const pressed = performance.now();
    requestAnimationFrame(() => setTimeout(() => window.keys.push(performance.now() - pressed)));
  }, true);
}
"""
OPEN = """
async (id) => {
  const clicked = performance.now();
  document.querySelector(`[data-conversation="${id}"]`).click();
  while (!document.querySelector("[data-message]")) await new Promise(requestAnimationFrame);
  await new Promise((painted) => requestAnimationFrame(() => setTimeout(painted)));
  return performance.now() - clicked;
}
"""
LOAD_ALL = """
async () => {
  const history = document.querySelector("[data-history]");
  while (!document.querySelector(".thread-beginning")) {
    history.scrollTop = 0;
    await new Promise(requestAnimationFrame);
  }
}
"""
SCROLL = """
async () => {
  const history = document.querySelector("[data-history]");
  history.scrollTop = history.scrollHeight / 2;
  await new Promise((calm) => setTimeout(calm, 300));
  const frames = [];
  let last = performance.now();
  for (let step = 0; step < 240; step += 1) {
    history.scrollTop -= 120;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return frames;
}
"""


def percentile(values: Sequence[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def open_row(person: Person, conversation_id: str) -> None:
    person.page.click(f'[data-conversation="{conversation_id}"]')
    expect(person.page.locator("[data-composer]")).to_be_visible()


def enter_to_screen(writer: Person, reader: Person, conversation_id: str) -> list[float]:
    """Milliseconds from Enter at one browser to the painted message at the other."""
    for person in (writer, reader):
        open_row(person, conversation_id)
    reader.page.evaluate(WATCH_SCREEN)
    writer.page.evaluate(WATCH_ENTER)
    for number in range(MESSAGES):
        writer.write(f"n.{number}")
        writer.page.wait_for_timeout(PAUSE_MS)
    last = f"n.{MESSAGES - 1}"
    reader.page.wait_for_function("(text) => window.arrivals[text] > 0", arg=last)
    sent: dict[str, float] = writer.page.evaluate("window.sent")
    seen: dict[str, float] = reader.page.evaluate("window.arrivals")
    assert sent.keys() == seen.keys(), "every message once on the other screen"
    return [seen[text] - sent[text] for text in sent]


def long_thread(person: Person, long_id: str, other_id: str) -> dict[str, Any]:
    """Open the thread, load every page of it, come back to it, scroll in it and write in it."""
    page = person.page
    page.evaluate(TIME_KEYS)
    first = page.evaluate(OPEN, long_id)
    page.wait_for_timeout(500)
    page.set_default_timeout(240_000)
    page.evaluate(LOAD_ALL)
    # Away, and back before the conversation is closed: all 10,000 are laid out at once.
    page.evaluate(OPEN, other_id)
    again = page.evaluate(OPEN, long_id)
    seqs = page.evaluate("document.querySelectorAll('[data-message]').length")
    assert 0 < seqs < 200, "the window of the history holds a screen, not the thread"
    page.locator("[data-composer]").click()
    page.evaluate("window.keys = []")
    page.locator("[data-composer]").press_sequentially("Uma frase para medir as teclas", delay=60)
    keys = page.evaluate("window.keys")
    frames = page.evaluate(SCROLL)
    page.fill("[data-composer]", "")
    return {"first": first, "again": again, "keys": keys, "frames": frames}


def idle_requests(page: Page) -> int:
    """Requests in a minute in which nobody does anything."""
    page.wait_for_timeout(3_000)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.wait_for_timeout(IDLE_MS)
    return len(asked)


class Bench:
    """The cluster with two people at their browsers, and what was measured so far."""

    def __init__(self, cluster: Cluster, browser: Browser) -> None:
        self.cluster = cluster
        self.organization = cluster.create_organization("Loja")
        self.agent, _ = (
            cluster.create_user(
                f"{account}@demo.pytake",
                organization=self.organization,
                role=role,
                password=PASSWORD,
            )
            for account, role in (("ana", "agent"), ("admin", "admin"))
        )
        self.admin, self.ana = (Person(browser, cluster.url, who) for who in ("admin", "ana"))
        self.quiet, self.other = (self._conversation(name) for name in ("Beatriz", "Davi"))
        self.missed = False

    def _conversation(self, name: str) -> str:
        contact = {"contact": {"name": name, "phone": f"+5511900{len(name):06d}"}}
        made = self.admin.call("POST", "/conversations", contact, PASSWORD)
        text = {"message_type": "text", "content": {"text": "oi"}}
        self.admin.call("POST", f"/conversations/{made['id']}/messages", text, PASSWORD)
        return str(made["id"])

    def come_in(self) -> None:
        for person in (self.admin, self.ana):
            person.sign_in(PASSWORD, has_rows=False)
            person.show("unassigned")
            person.page.wait_for_selector("[data-conversation]")
        self.ana.page.evaluate(WATCH_SHIFT)

    def tell(self, name: str, value: float) -> None:
        target = TARGETS.get(name)
        is_missed = target is not None and value >= target
        self.missed = self.missed or is_missed
        note = f"(target below {target:g}{', MISSED' if is_missed else ''})" if target else ""
        print(f"{name:50} {value:9.3f} {note}", flush=True)

    def measure_reaction(self) -> None:
        self.come_in()
        times = enter_to_screen(self.admin, self.ana, self.quiet)
        self.tell("enter to the other screen, p50 ms", statistics.median(times))
        self.tell("enter to the other screen, p95 ms", percentile(times, 0.95))
        self.tell("enter to the other screen, slowest ms", max(times))
        self.tell("requests of an idle inbox in a minute", idle_requests(self.ana.page))
        self.tell("layout shift of the session", self.ana.page.evaluate("window.shift"))

    def measure_thread(self) -> None:
        url = self.cluster.database_url("postgresql+asyncpg")
        long = fill_thread(url, self.organization, "Carla", self.agent, LONG)
        self.come_in()
        history = long_thread(self.admin, long, self.other)
        self.tell("10,000 messages, first paint ms", history["first"])
        self.tell("10,000 messages all loaded, first paint ms", history["again"])
        self.tell("10,000 messages, key p50 ms", statistics.median(history["keys"]))
        self.tell("10,000 messages, key p95 ms", percentile(history["keys"], 0.95))
        frames = history["frames"]
        self.tell("10,000 messages, frame while scrolling p50 ms", statistics.median(frames))
        self.tell("10,000 messages, frame while scrolling p95 ms", percentile(frames, 0.95))


TARGETS = {
    "enter to the other screen, p95 ms": 100.0,
    "10,000 messages, first paint ms": 1_000.0,
    "10,000 messages all loaded, first paint ms": 1_000.0,
    "10,000 messages, key p95 ms": 50.0,
    "requests of an idle inbox in a minute": 1,
    "layout shift of the session": 0.02,
}


def main() -> int:
    parts = sys.argv[1:] or ["reaction", "thread"]
    missed = False
    for part in parts:
        with Cluster() as cluster, chromium() as browser:
            bench = Bench(cluster, browser)
            getattr(bench, f"measure_{part}")()
            missed = missed or bench.missed
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
