"""Each state of the page, seen and audited: axe finds nothing, and pictures are kept on request.

`PYTAKE_SCREENSHOTS=docs/screenshots` writes the pictures there; otherwise they are only taken.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from e2e import scenes
from e2e.browsers import Person
from e2e.conftest import Dev

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
AXE = ROOT / "services/web/node_modules/axe-core/axe.min.js"
SIZES = {1440: 900, 1024: 768, 390: 844}
LOOKS = [
    pytest.param(("light", 1440), id="light-1440"),
    pytest.param(("dark", 390), id="dark-390"),
    *(
        pytest.param((theme, width), id=f"{theme}-{width}", marks=pytest.mark.full)
        for theme, width in (("dark", 1440), ("light", 1024), ("dark", 1024), ("light", 390))
    ),
]


class Album:
    """Takes and audits pictures of one look."""

    def __init__(self, theme: str, width: int) -> None:
        self.name = f"{theme}-{width}"
        self._folder = os.environ.get("PYTAKE_SCREENSHOTS")
        self._axe = AXE.read_text()
        self.complaints: list[str] = []

    def audit(self, page: Page, state: str) -> None:
        scenes.is_calm(page)
        self.complaints += [f"{state}: {each}" for each in scenes.audit(page, self._axe)]

    def keep(self, page: Page, state: str) -> None:
        self.audit(page, state)
        picture = page.screenshot()
        if self._folder:
            folder = ROOT / self._folder
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{state}-{self.name}.png").write_bytes(picture)
            if (state, self.name) == ("thread", "light-1440"):
                (folder / "inbox.png").write_bytes(picture)


@pytest.fixture
def told(dev: Dev) -> Dev:
    """The server, with a conversation that has just been given every type of message: what a
    test before this one wrote must not push them off the screen."""
    scenes.fill_with_every_type(dev.address)
    return dev


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> tuple[str, int]:
    theme, width = request.param
    return theme, width


@pytest.fixture
def album(look: tuple[str, int]) -> Iterator[Album]:
    made = Album(*look)
    yield made
    assert not made.complaints, "\n".join(made.complaints)


@pytest.fixture
def visitors(browser: Browser, told: Dev, look: tuple[str, int]) -> Iterator[list[Person]]:
    theme, width = look
    options = {"color_scheme": theme, "viewport": {"width": width, "height": SIZES[width]}}
    people = [Person(browser, told.address, who, **options) for who in ("admin", "bruno")]
    yield people
    for person in people:
        person.close()


def test_every_state_looks_as_the_brief_says(visitors: list[Person], album: Album) -> None:
    admin, bruno = visitors
    admin.page.goto(admin.url)
    album.keep(admin.page, "sign-in")
    admin.sign_in()
    album.keep(admin.page, "list")
    bruno.sign_in()

    bruno.open(scenes.BUSY)
    admin.open(scenes.BUSY)
    expect(admin.page.locator(".content-picture img").last).to_be_visible()
    album.keep(admin.page, "thread")

    admin.page.fill("[data-composer]", "Boa tarde, dona Lúcia. Já resolvo.")
    meanwhile = f"Dona Lúcia, o kit sai hoje às 15h, pedido {album.name}"
    bruno.write(meanwhile)
    expect(admin.message(meanwhile)).to_be_visible()
    admin.page.press("[data-composer]", "Enter")
    album.keep(admin.page, "stale-reply")
    admin.page.locator("[data-stale-guard] .button").first.click()
    admin.page.fill("[data-composer]", "")

    admin.context.set_offline(True)
    admin.write("Esta mensagem espera pela rede")
    expect(admin.page.locator("[data-outgoing]")).to_have_count(1)
    expect(admin.connection).to_have_class(re.compile("offline"), timeout=60_000)
    album.keep(admin.page, "offline")
    admin.context.set_offline(False)
    # It goes out, or comes back because the customer wrote meanwhile; it waits no longer.
    expect(admin.page.locator("[data-hop=waiting]")).to_have_count(0, timeout=40_000)


@pytest.mark.full
def test_nothing_is_wider_than_the_narrowest_phone(browser: Browser, told: Dev) -> None:
    admin = Person(browser, told.address, "admin", viewport={"width": 360, "height": 740})
    admin.sign_in()
    is_wider = "document.documentElement.scrollWidth > innerWidth"
    pages = [f"{admin.url}/admin/{page}" for page in ("team", "channels", "quarantine")]
    for page in pages:
        admin.page.goto(page)
        expect(admin.page.locator("h1")).to_be_visible()
        assert not admin.page.evaluate(is_wider), page
        for name in admin.page.locator(".admin-row-text strong").all():
            box = name.bounding_box()
            assert box is not None
            assert box["height"] < 2 * box["width"], "a name is read across, not down"
    admin.page.goto(f"{admin.url}/admin/conversations")
    assert not admin.page.evaluate(is_wider)
    admin.open(scenes.BUSY)
    assert not admin.page.evaluate(is_wider)
    for button in admin.page.locator(".thread-head button, .composer button").all():
        expect(button).to_be_in_viewport(ratio=1)
    admin.page.get_by_role("button", name="Mostrar detalhes").click()
    expect(admin.page.locator(".details-pane")).to_be_visible()
    assert not admin.page.evaluate(is_wider)
    admin.close()


def test_what_the_team_keeps_looks_like_no_message(visitors: list[Person], album: Album) -> None:
    admin, bruno = visitors
    for person in (admin, bruno):
        person.sign_in()
        person.open(scenes.BUSY)
    scenes.write_note(bruno, f"@Marina Admin o kit sai sem custo, combinado ({album.name}).")
    expect(admin.page.locator("[data-note]").last).to_be_in_viewport()
    album.keep(admin.page, "note")
    admin.page.locator("[data-write-note]").click()
    admin.page.locator("[data-note-composer] textarea").fill("@")
    expect(admin.page.locator("[data-suggestions]")).to_be_visible()
    album.audit(admin.page, "note composer")
    admin.page.locator("[data-note-composer] textarea").fill("")
    admin.page.keyboard.press("Escape")

    admin.page.fill("[data-composer]", "/")
    expect(admin.page.locator(".suggestion").first).to_be_visible()
    album.keep(admin.page, "canned")
    admin.page.get_by_role("button", name="Editar respostas prontas").click()
    album.audit(admin.page, "canned editor")
    admin.page.get_by_role("button", name="Fechar").last.click()
    admin.page.fill("[data-composer]", "")


def test_window_empty_and_error_states(visitors: list[Person], album: Album) -> None:
    admin, _ = visitors
    admin.sign_in()
    admin.show("closed")
    expect(admin.page.locator(".list-pane .empty")).to_be_visible()
    album.keep(admin.page, "empty")
    admin.show("all")

    scenes.change_rows(admin, scenes.close_windows)
    scenes.offer_template(admin)
    admin.page.reload()
    admin.open("Larissa Monteiro")
    admin.page.locator(".template-choice").first.click()
    # What was said stays above what is written, however tall that grows.
    expect(admin.messages().last).to_be_in_viewport()
    album.keep(admin.page, "window-closed")

    for page in ("team", "channels"):
        admin.page.goto(f"{admin.url}/admin/{page}")
        expect(admin.page.locator(".admin-row").first).to_be_visible()
        album.keep(admin.page, page)
    admin.page.goto(f"{admin.url}/admin/quarantine")
    expect(admin.page.locator(".empty")).to_be_visible()
    album.audit(admin.page, "quarantine")

    admin.page.route(
        re.compile(r"/api/v1/conversations\?"),
        lambda route: route.fulfill(
            status=503,
            content_type="application/problem+json",
            body='{"code": "unavailable", "title": "", "detail": "", "retryable": true, '
            '"trace_id": "4bf92f3577b34da6a3ce929d0e0e4736"}',
        ),
    )
    admin.page.goto(f"{admin.url}/admin/conversations")
    expect(admin.page.get_by_role("alert")).to_be_visible()
    album.keep(admin.page, "error")
