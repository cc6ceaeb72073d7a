"""The five tests that the product's first description asks for, under their names."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from e2e.conftest import Meet

pytestmark = pytest.mark.integration

CUSTOMER = "Juliana Prado"

# A network that lets no WebSocket through. (The browser's own request blocking spares them.)
BLOCKED_WEB_SOCKET = """
window.WebSocket = class extends EventTarget {
  constructor() {
    super();
    setTimeout(() => {
      this.onerror?.(new Event("error"));
      this.onclose?.(new CloseEvent("close", { code: 1006 }));
    }, 20);
  }
  close() {}
};
"""


def test_connection(meet: Meet) -> None:
    """Teste de Conexão: the lines that the console shows."""
    ana = meet("ana")

    ana.is_connected()

    assert ana.logged("[WebSocket] Connecting to:")
    assert ana.logged("[WebSocket] Connected:")
    assert ana.logged("[WebSocket] Server confirmed connection:")


def test_join_and_leave(meet: Meet) -> None:
    """Teste de Join/Leave: who has a conversation open is seen by the others, until they leave."""
    ana, admin = meet("ana"), meet("admin")
    ana.open(CUSTOMER)
    admin.open(CUSTOMER)
    viewers = ana.page.locator("[data-viewers] .avatar")
    expect(viewers).to_have_attribute("aria-label", re.compile("Admin"))

    admin.open("Thiago Alves")

    expect(viewers).to_have_count(0)


def test_message_end_to_end(meet: Meet) -> None:
    """Teste End-to-End: two browsers of one user; no duplicate, the status is the same in both."""
    here, there = meet("ana"), meet("ana")
    here.open(CUSTOMER)
    there.open(CUSTOMER)

    here.write("Uma mensagem para os dois navegadores")

    for side in (here, there):
        expect(side.message("Uma mensagem para os dois")).to_have_count(1)
        expect(side.message("Uma mensagem para os dois")).to_have_attribute("data-status", "read")


def test_reconnection(meet: Meet) -> None:
    """Teste de Reconexão: the network goes away and comes back; what was missed is there once."""
    ana, admin = meet("ana"), meet("admin")
    ana.open(CUSTOMER)
    admin.open(CUSTOMER)
    ana.context.set_offline(True)
    expect(ana.connection).to_have_class(re.compile("offline|connecting"), timeout=60_000)
    admin.write("Escrita enquanto Ana estava sem rede")
    expect(admin.message("enquanto Ana estava")).to_have_attribute(
        "data-status", re.compile("sent|delivered|read")
    )

    ana.context.set_offline(False)

    expect(ana.message("enquanto Ana estava")).to_have_count(1)
    ana.is_connected()
    assert len(ana.logged("[WebSocket] Connected:")) == 2


def test_fallback_to_polling(meet: Meet) -> None:
    """Teste de Fallback: without WebSocket the same page works over long polling."""
    ana, admin = meet("ana"), meet("admin")
    ana.context.add_init_script(BLOCKED_WEB_SOCKET)
    polled: list[str] = []
    ana.page.on("request", lambda request: polled.append(request.url))
    ana.page.reload()
    ana.is_connected()
    ana.open(CUSTOMER)
    admin.open(CUSTOMER)

    admin.write("Chega também por polling")

    expect(ana.message("Chega também por polling")).to_have_count(1)
    assert any("transport=polling" in url for url in polled)
