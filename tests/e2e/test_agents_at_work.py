"""What agents do all day, in two browsers against the real server."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import FilePayload, expect

from e2e import scenes
from e2e.conftest import Dev, Meet

pytestmark = pytest.mark.integration

CUSTOMER = "Juliana Prado"
HOSTILE = {
    "markup": '<img src=x onerror="window.hurt = true"><script>window.hurt = true</script>',
    "right to left": "segue o arquivo \u202egpj.exe e \u2067outro\u2069 texto",
    "one long word": "a" * 4_096,
    "emoji": "👩‍👩‍👧‍👦" * 300,
    "stacked marks": "Z" + "\u0357" * 400,
}


def test_others_see_who_types_and_it_ends(meet: Meet) -> None:
    ana, admin = meet("ana"), meet("admin")
    ana.open(CUSTOMER)
    admin.open(CUSTOMER)

    admin.page.locator("[data-composer]").press_sequentially("Olá")

    line = ana.page.locator("[data-typing]")
    expect(line).to_have_text("Marina está digitando…")
    expect(line).to_have_text("", timeout=20_000)


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_text_is_shown_as_text_and_breaks_nothing(meet: Meet, text: str) -> None:
    ana = meet("ana")
    ana.open(CUSTOMER)

    ana.write(text)

    bubble = ana.page.locator(".message.own .content-text").last
    expect(bubble).to_have_text(text)
    assert ana.page.evaluate("window.hurt") is None
    frame = ana.page.locator(".thread-scroll")
    assert frame.evaluate("element => element.scrollWidth <= element.clientWidth")


def test_a_text_that_is_too_long_cannot_be_sent(meet: Meet) -> None:
    ana = meet("ana")
    ana.open(CUSTOMER)

    ana.page.fill("[data-composer]", "a" * 4_097)

    expect(ana.page.locator(".composer-over")).to_contain_text("1 caracteres além")
    expect(ana.page.locator(".composer-send")).to_be_disabled()


@pytest.mark.full
def test_a_file_shows_its_progress_and_goes_out_with_what_was_written(meet: Meet) -> None:
    ana, admin = meet("ana"), meet("admin")
    ana.open(CUSTOMER)
    admin.open(CUSTOMER)
    file: FilePayload = {"name": "kit.png", "mimeType": "image/png", "buffer": scenes.picture()}
    ana.page.set_input_files("input[type=file]", files=[file, file])
    chips = ana.page.locator(".chip")
    expect(chips).to_have_count(2)
    chips.first.get_by_role("button").click()
    expect(chips).to_have_count(1)
    expect(ana.page.locator(".composer-send")).to_be_enabled()

    ana.write("É este o kit")

    expect(chips).to_have_count(0)
    for person in (ana, admin):
        expect(person.message("É este o kit").locator(".content-picture")).to_have_count(1)
    admin.page.reload()
    expect(admin.message("É este o kit").locator("img")).to_be_visible()


def test_messages_that_wait_survive_a_reload_and_arrive_once(meet: Meet) -> None:
    ana, admin = meet("ana"), meet("admin")
    ana.open(CUSTOMER)
    admin.open(CUSTOMER)
    # Only the sends fail: the page itself can still be loaded, as from a browser's cache.
    pattern = re.compile(r"/messages$")
    ana.context.route(pattern, lambda route: route.abort())
    ana.write("Escrita sem rede, enviada depois")
    expect(ana.page.locator("[data-outgoing] [data-hop=waiting]")).to_have_count(1)

    ana.page.reload()
    expect(ana.page.locator("[data-outgoing]")).to_contain_text("Escrita sem rede")
    ana.context.unroute(pattern)

    expect(ana.message("Escrita sem rede")).to_have_count(1, timeout=40_000)
    expect(admin.message("Escrita sem rede")).to_have_count(1)
    expect(ana.page.locator("[data-outgoing]")).to_have_count(0)


def test_a_draft_survives_a_reload_and_shows_in_the_list(meet: Meet) -> None:
    ana = meet("ana")
    ana.open(CUSTOMER)
    ana.page.fill("[data-composer]", "Ainda vou terminar isto")

    ana.page.reload()

    expect(ana.page.locator("[data-composer]")).to_have_value("Ainda vou terminar isto")
    expect(ana.page.locator("[data-conversation]", has_text=CUSTOMER)).to_contain_text("Rascunho:")
    ana.page.fill("[data-composer]", "")


def test_an_answer_of_a_colleague_holds_a_reply_back(meet: Meet) -> None:
    ana, admin = meet("ana"), meet("admin")
    ana.open(CUSTOMER)
    admin.open(CUSTOMER)
    ana.page.fill("[data-composer]", "Minha resposta")
    admin.write("Já respondi por você")
    expect(ana.message("Já respondi por você")).to_have_count(1)

    ana.page.press("[data-composer]", "Enter")

    guard = ana.page.locator("[data-stale-guard]")
    expect(guard).to_contain_text("Já respondi por você")
    expect(ana.message("Minha resposta")).to_have_count(0)
    guard.get_by_role("button", name="Enviar assim mesmo").click()
    expect(ana.message("Minha resposta")).to_have_count(1)


def test_an_agent_takes_an_unassigned_conversation_and_the_other_sees_it_go(meet: Meet) -> None:
    ana, bruno = meet("ana"), meet("bruno")
    ana.show("unassigned")
    bruno.show("unassigned")
    row = bruno.page.locator("[data-conversation]", has_text="Beatriz Camargo")
    expect(row).to_have_count(1)
    ana.open("Beatriz Camargo")

    ana.page.click("[data-assign]")

    expect(row).to_have_count(0)
    expect(ana.page.locator(".assign-name")).to_have_text("Você")


def test_ten_tabs_take_one_connection(meet: Meet, dev: Dev) -> None:
    ana = meet("ana")
    ana.is_connected()
    tabs = [ana.new_tab() for _ in range(9)]
    for tab in tabs:
        tab.goto(f"{dev.address}/agent/conversations")
        tab.wait_for_selector("[data-conversation]")
    ana.open(CUSTOMER, tabs[3])
    ana.open(CUSTOMER, tabs[7])

    tabs[3].fill("[data-composer]", "Da quarta aba para todas")
    tabs[3].press("[data-composer]", "Enter")

    expect(ana.message("Da quarta aba", tabs[7])).to_have_count(1)
    assert len(ana.logged("[WebSocket] Connected:")) == 1

    # The leader closes: the next tab takes over, and nobody misses anything.
    ana.page.close()
    ana.wait_until_logged("[WebSocket] Connected:", 2, tabs[3])
    tabs[7].fill("[data-composer]", "Depois da troca")
    tabs[7].press("[data-composer]", "Enter")
    expect(ana.message("Depois da troca", tabs[3])).to_have_count(1)


def test_a_frozen_page_is_up_to_date_a_moment_after_it_wakes(meet: Meet) -> None:
    ana, admin = meet("ana"), meet("admin")
    ana.open(CUSTOMER)
    admin.open(CUSTOMER)
    sleep = ana.context.new_cdp_session(ana.page)
    sleep.send("Page.setWebLifecycleState", {"state": "frozen"})
    admin.write("Enquanto o notebook dormia")
    expect(admin.message("Enquanto o notebook dormia")).to_have_count(1)

    sleep.send("Page.setWebLifecycleState", {"state": "active"})

    expect(ana.message("Enquanto o notebook dormia")).to_have_count(1)
    ana.is_connected()


def test_an_idle_inbox_asks_nothing_of_the_server(meet: Meet) -> None:
    ana = meet("ana")
    ana.open(CUSTOMER)
    ana.page.wait_for_timeout(2_000)
    asked: list[str] = []
    ana.page.on("request", lambda request: asked.append(request.url))

    ana.page.wait_for_timeout(20_000)

    assert asked == []


def test_the_keyboard_alone_is_enough(meet: Meet) -> None:
    ana = meet("ana")
    page = ana.page
    page.keyboard.press("g")
    page.keyboard.press("m")
    page.keyboard.press("j")
    expect(page.locator("[data-conversation]").first).to_be_focused()
    page.keyboard.press("Enter")
    ana.messages().first.wait_for()
    page.keyboard.press("r")
    expect(page.locator("[data-composer]")).to_be_focused()
    page.keyboard.type("Só com o teclado")
    page.keyboard.press("Enter")
    expect(ana.message("Só com o teclado")).to_have_count(1)
    page.keyboard.press("Escape")
    page.keyboard.press("/")
    expect(page.locator("[data-search]")).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Atalhos de teclado")
