"""One `pytake dev` for the browser tests, and browsers in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from cluster.pods import Pod
from cluster.programs import temporary_folder
from e2e.browsers import Person, built_page, chromium

# Tests share one address and three accounts.
_SETTINGS = {
    "PYTAKE_DEMO": "quiet",
    "PYTAKE_LOGIN_RATE_LIMIT": "1000000/minute",
    "PYTAKE_HTTP_RATE_LIMIT": "1000000/minute",
}

Meet = Callable[..., Person]


class Dev(Pod):
    """`pytake dev` with the built page."""

    def __init__(self, **settings: str) -> None:
        super().__init__("api", "dev", temporary_folder("dev"), _SETTINGS | settings)
        self.command[1:] = ["dev"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of a file. While it is open its thread counts as one with a running
    event loop, so it must be closed before the asynchronous tests of another file."""
    if not built_page().exists():
        pytest.skip("the page is not built: make web")
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def dev() -> Iterator[Dev]:
    process = Dev()
    process.start()
    try:
        process.wait_until_serving()
        yield process
    finally:
        process.stop()


@pytest.fixture
def meet(browser: Browser, dev: Dev) -> Iterator[Meet]:
    """Make somebody who is signed in; at the end no page may have thrown an error."""
    people: list[Person] = []

    def made(account: str, **context: object) -> Person:
        people.append(Person(browser, dev.address, account, **context))
        return people[-1].sign_in()

    yield made
    for person in people:
        person.close()
    assert [error for person in people for error in person.errors] == []
