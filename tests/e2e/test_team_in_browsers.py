"""Notes, labels and canned replies, as colleagues see them on each other's screens."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from cluster.waiting import wait_until
from e2e.browsers import Person
from e2e.conftest import Meet
from e2e.scenes import write_note
from e2e.test_agents_at_work import HOSTILE

pytestmark = pytest.mark.integration

CUSTOMER = "Beatriz Camargo"


def both_open(meet: Meet, customer: str = CUSTOMER) -> tuple[Person, Person]:
    ana, admin = meet("ana"), meet("admin")
    ana.show("unassigned")
    for person in (ana, admin):
        person.open(customer)
    return ana, admin


def test_a_note_appears_at_once_in_its_place_and_can_be_taken_back(meet: Meet) -> None:
    ana, admin = both_open(meet)

    write_note(ana, "Prefere boleto")
    admin.write("Depois da nota")

    seen = admin.page.locator("[data-note]")
    expect(seen).to_contain_text("Prefere boleto")
    expect(seen).to_contain_text("Ana Souza")
    expect(admin.message("Depois da nota")).to_have_count(1)
    in_order = admin.page.locator("[data-note], [data-message]").all_inner_texts()
    assert "Prefere boleto" in in_order[-2]
    details = admin.page.locator(".details-notes")
    expect(details).to_contain_text("Prefere boleto")

    ana.page.locator("[data-note]").get_by_role("button", name="Remover nota").click()
    ana.page.locator("[data-note]").get_by_role("button", name="Remover", exact=True).click()

    for person in (ana, admin):
        expect(person.page.locator("[data-note]")).to_have_count(0)
    admin.page.reload()
    expect(admin.message("Depois da nota")).to_have_count(1)
    expect(admin.page.locator("[data-note]")).to_have_count(0)


def test_an_at_sign_begins_a_note_and_names_a_colleague(meet: Meet) -> None:
    ana, admin = both_open(meet)

    ana.page.locator("[data-composer]").press_sequentially("@")
    field = ana.page.locator("[data-note-composer] textarea")
    expect(field).to_be_focused()
    field.press_sequentially("@bru")
    expect(ana.page.locator("[data-suggestions]")).to_have_text("Bruno Lima")
    field.press("Enter")
    field.press_sequentially("pode ligar para ela?")
    field.press("Enter")

    expect(admin.page.locator("[data-note] strong")).to_have_text("@Bruno Lima")
    composer = ana.page.locator("[data-composer]")
    # Not to_be_focused: whether its window is the active one is the browser's affair.
    assert wait_until(
        lambda: composer.evaluate("node => node === document.activeElement"),
        "the composer has the focus again",
    )


def test_a_note_that_was_begun_survives_a_reload_beside_the_draft(meet: Meet) -> None:
    ana, _ = both_open(meet)
    ana.page.fill("[data-composer]", "Para a cliente")
    ana.page.locator("[data-write-note]").click()
    ana.page.locator("[data-note-composer] textarea").fill("Para a equipe")

    ana.page.reload()

    expect(ana.page.locator("[data-composer]")).to_have_value("Para a cliente")
    ana.page.locator("[data-write-note]").click()
    expect(ana.page.locator("[data-note-composer] textarea")).to_have_value("Para a equipe")
    ana.page.locator("[data-note-composer] textarea").fill("")
    ana.page.keyboard.press("Escape")
    ana.page.fill("[data-composer]", "")


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_hostile_note_is_shown_as_text(meet: Meet, text: str) -> None:
    ana, admin = both_open(meet)

    ana.page.locator("[data-write-note]").click()
    field = ana.page.locator("[data-note-composer] textarea")
    field.fill(text)
    field.press("Enter")

    shown = admin.page.locator("[data-note] .note-text").last
    expect(shown).to_have_text(text)
    assert admin.page.evaluate("window.hurt") is None
    frame = admin.page.locator(".thread-scroll")
    assert frame.evaluate("element => element.scrollWidth <= element.clientWidth")


def test_labels_are_the_teams_and_find_the_conversation(meet: Meet) -> None:
    ana, admin = both_open(meet, "Carlos Eduardo Nunes")

    ana.page.fill("[data-add-label]", "Frete")
    ana.page.press("[data-add-label]", "Enter")

    expect(admin.page.locator("[data-label=frete]")).to_have_count(1)
    admin.page.fill("[data-search]", "#frete")
    rows = admin.page.locator("[data-conversation]")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("Carlos Eduardo Nunes")

    admin.page.get_by_role("button", name="Remover: frete").click()

    expect(ana.page.locator("[data-label]")).to_have_count(0)


def test_a_canned_reply_of_one_is_at_hand_for_all(meet: Meet) -> None:
    ana, admin = both_open(meet)
    admin.page.locator("[data-composer]").press_sequentially("/")
    listed = admin.page.locator("[data-suggestions] .suggestion")
    expect(listed.first).to_be_visible()
    before = listed.count()

    ana.page.locator("[data-composer]").press_sequentially("/")
    ana.page.get_by_role("button", name="Editar respostas prontas").click()
    dialog = ana.page.get_by_role("dialog")
    dialog.locator("[name=shortcut]").fill("horario")
    dialog.locator("[name=text]").fill("Atendemos de segunda a sábado, das 9h às 18h.")
    dialog.get_by_role("button", name="Nova resposta").click()
    expect(dialog).to_contain_text("/horario")

    expect(listed).to_have_count(before + 1)
    admin.page.locator("[data-composer]").press_sequentially("hor")
    admin.page.press("[data-composer]", "Enter")
    expect(admin.page.locator("[data-composer]")).to_have_value(
        "Atendemos de segunda a sábado, das 9h às 18h."
    )

    dialog.get_by_role("button", name="Remover: horario").click()
    expect(dialog).not_to_contain_text("/horario")
    dialog.get_by_role("button", name="Fechar").click()
    ana.page.fill("[data-composer]", "")
    admin.page.fill("[data-composer]", "")
