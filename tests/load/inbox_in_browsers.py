"""How fast the inbox is, measured inside the browsers that show it.

    python tests/load/inbox_in_browsers.py

Starts `pytake dev` and two browsers on this machine and prints: Enter in one until the message
stands on the other's screen; a thread of 10,000 messages (first paint, time per key, frames while
scrolling); and the layout shift of the session. Exits 1 when a target is missed.
"""

from __future__ import annotations

import json
import re
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Page, Route

from e2e.browsers import Person, chromium
from e2e.conftest import Dev

QUIET_CUSTOMER = "Beatriz Camargo"
MESSAGES = 60
LONG = 10_000

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
SCROLL = """
async () => {
  const history = document.querySelector("[data-history]");
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


def enter_to_screen(writer: Person, reader: Person) -> list[float]:
    """Milliseconds from Enter at one browser to the painted message at the other."""
    for person in (writer, reader):
        person.open(QUIET_CUSTOMER)
    reader.page.evaluate(WATCH_SCREEN)
    writer.page.evaluate(WATCH_ENTER)
    for number in range(MESSAGES):
        writer.write(f"n.{number}")
        writer.page.wait_for_timeout(400)
    last = f"n.{MESSAGES - 1}"
    reader.page.wait_for_function("(text) => window.arrivals[text] > 0", arg=last)
    sent: dict[str, float] = writer.page.evaluate("window.sent")
    seen: dict[str, float] = reader.page.evaluate("window.arrivals")
    assert sent.keys() == seen.keys(), "every message once on the other screen"
    return [seen[text] - sent[text] for text in sent]


def long_thread(page: Page) -> dict[str, Any]:
    """A thread of 10,000 messages, all in the page at once."""

    def answer(route: Route) -> None:
        response = route.fetch()
        body = response.json()
        model = body["items"][0]
        body["items"] = [_message(model, number) for number in range(1, LONG + 1)]
        body["next_cursor"] = None
        route.fulfill(response=response, body=json.dumps(body))

    page.route(re.compile(r"/messages\?"), answer)
    page.reload()
    row = page.locator("[data-conversation]", has_text="Thiago Alves")
    row.wait_for()
    page.evaluate(TIME_KEYS)
    with page.expect_response(re.compile(r"/messages\?")):
        row.click()
    received = page.evaluate("performance.now()")
    page.wait_for_selector("[data-message]")
    shown = page.evaluate(
        "new Promise((r) => requestAnimationFrame(() => setTimeout(() => r(performance.now()))))"
    )
    page.wait_for_timeout(500)
    page.locator("[data-composer]").press_sequentially("Uma frase para medir as teclas", delay=60)
    keys = page.evaluate("window.keys")
    frames = page.evaluate(SCROLL)
    return {"first_paint_ms": shown - received, "keys_ms": keys, "frames_ms": frames}


def _message(model: dict[str, Any], number: int) -> dict[str, Any]:
    text = f"Mensagem {number}: " + "um texto de tamanho comum " * (number % 7)
    own = {"id": f"00000000-0000-4000-8000-{number:012d}", "seq": number}
    return model | own | {"content": {"text": text}, "client_message_id": None}


def main() -> int:
    dev = Dev()
    dev.start()
    try:
        dev.wait_until_serving()
        with chromium() as browser:
            ana = Person(browser, dev.address, "ana").sign_in()
            admin = Person(browser, dev.address, "admin").sign_in()
            ana.page.evaluate(WATCH_SHIFT)
            ana.show("unassigned")
            times = enter_to_screen(admin, ana)
            shift: float = ana.page.evaluate("window.shift")
            thread = long_thread(admin.page)
    finally:
        dev.stop()
    results = {
        "enter to the other screen, p50 ms": statistics.median(times),
        "enter to the other screen, p95 ms": percentile(times, 0.95),
        "10,000 messages, first paint ms": thread["first_paint_ms"],
        "10,000 messages, key p95 ms": percentile(thread["keys_ms"], 0.95),
        "10,000 messages, frame while scrolling p50 ms": statistics.median(thread["frames_ms"]),
        "10,000 messages, frame while scrolling p95 ms": percentile(thread["frames_ms"], 0.95),
        "layout shift of the session": shift,
    }
    targets = {
        "enter to the other screen, p95 ms": 100.0,
        "10,000 messages, first paint ms": 1_000.0,
        "10,000 messages, key p95 ms": 50.0,
        "layout shift of the session": 0.02,
    }
    missed = False
    for name, value in results.items():
        target = targets.get(name)
        is_missed = target is not None and value >= target
        missed = missed or is_missed
        note = f"(target below {target:g}{', MISSED' if is_missed else ''})" if target else ""
        print(f"{name:50} {value:9.3f} {note}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
