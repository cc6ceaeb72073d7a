"""How the page opens: its frame at once, nothing that jumps, a way on when a part is missing."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Request, Route, expect

from e2e.conftest import Meet

pytestmark = pytest.mark.integration

_WORKSPACE = re.compile(r"/assets/Workspace-.*\.js")
_MOST_SHIFT = 0.01
_SHIFT = """() => new Promise((resolve) => {
  let sum = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) sum += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
  setTimeout(() => resolve(sum), 300);
})"""


def _reload(page: Page) -> None:
    page.reload(wait_until="commit")


def test_the_frame_is_there_before_its_parts_and_nothing_jumps(meet: Meet) -> None:
    page = meet("ana").page
    held: list[Route] = []
    page.route(_WORKSPACE, lambda route: held.append(route))

    _reload(page)

    expect(page.locator("[data-opening] .row-skeleton")).to_have_count(6)
    held[0].continue_()
    expect(page.locator("[data-conversation]").first).to_be_visible()
    assert page.evaluate(_SHIFT) < _MOST_SHIFT


def test_an_update_that_took_a_part_away_is_loaded_by_itself(meet: Meet) -> None:
    page = meet("ana").page
    pages: list[str] = []

    def note(request: Request) -> None:
        if request.is_navigation_request():
            pages.append(request.url)

    page.on("request", note)
    page.route(
        _WORKSPACE,
        lambda route: route.fulfill(status=404) if len(pages) == 1 else route.continue_(),
    )

    _reload(page)

    expect(page.locator("[data-conversation]").first).to_be_visible()
    assert len(pages) == 2


def test_a_part_that_stays_away_is_said_and_can_be_tried_again(meet: Meet) -> None:
    ana = meet("ana")
    ana.page.route(_WORKSPACE, lambda route: route.fulfill(status=404))

    _reload(ana.page)

    broken = ana.page.locator("[data-broken]")
    expect(broken).to_be_visible()
    ana.page.unroute(_WORKSPACE)
    broken.get_by_role("button").click()
    expect(ana.page.locator("[data-conversation]").first).to_be_visible()
    ana.errors.clear()
