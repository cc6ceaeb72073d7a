"""Debian's Chromium, and the inbox as a person at it would use it."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect, sync_playwright

from cluster.programs import free_port, is_listening, temporary_folder
from cluster.waiting import scaled, wait_until

_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_PATIENCE_MS = 10_000
PASSWORD = "demo"


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser with a fresh profile; the test is left out where none is installed."""
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        pytest.skip("chromium is not installed")
    expect.set_options(timeout=scaled(_PATIENCE_MS))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(_FLAGS))
        try:
            yield browser
        finally:
            browser.close()


class Laptop:
    """A browser of its own that can be put to sleep: all of its processes stand still."""

    def __init__(self, beside: Browser) -> None:
        """Opens it with the Playwright that drives the other browser."""
        self._driver = beside.browser_type
        self._folder = temporary_folder("laptop")

    def __enter__(self) -> Laptop:
        program = next(filter(None, map(shutil.which, _PROGRAMS)))
        port = free_port()
        self._process = subprocess.Popen(
            [
                program,
                *_FLAGS,
                f"--remote-debugging-port={port}",
                f"--user-data-dir={self._folder}",
                "about:blank",
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait_until(lambda: is_listening(port), "the browser listens", 30)
            self.browser = self._driver.connect_over_cdp(f"http://127.0.0.1:{port}")
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.open_lid()
        self.browser.close()
        self._end()

    def close_lid(self) -> None:
        """Nothing of it runs until the lid is opened; do not ask its pages anything meanwhile."""
        os.killpg(self._process.pid, signal.SIGSTOP)

    def open_lid(self) -> None:
        os.killpg(self._process.pid, signal.SIGCONT)

    def _end(self) -> None:
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()


class Person:
    """Somebody at a browser of their own, signed in."""

    def __init__(self, browser: Browser, url: str, account: str, **context: Any) -> None:
        options: dict[str, Any] = {
            "viewport": {"width": 1440, "height": 900},
            "locale": "pt-BR",
            "timezone_id": "America/Sao_Paulo",
            "ignore_https_errors": True,
        }
        self.context: BrowserContext = browser.new_context(**(options | context))
        self.context.set_default_timeout(scaled(_PATIENCE_MS))
        self.url = url
        self.account = account
        self.console: list[str] = []
        self.errors: list[str] = []
        self.rows: list[dict[str, Any]] = []
        self.page = self.new_tab()

    def new_tab(self) -> Page:
        page = self.context.new_page()
        page.on("console", lambda message: self.console.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        return page

    def sign_in(self, password: str = PASSWORD, *, has_rows: bool = True) -> Person:
        self.page.goto(self.url)
        self.page.evaluate("localStorage.setItem('pytake.debug', '1')")
        self.page.fill("[name=email]", f"{self.account}@demo.pytake")
        self.page.fill("[name=password]", password)
        self.page.click("button[type=submit]")
        self.page.wait_for_selector("[data-conversation]" if has_rows else "[data-view]")
        return self

    def call(
        self, method: str, path: str, body: dict[str, Any], password: str = PASSWORD
    ) -> dict[str, Any]:
        """Use the REST API as this person."""
        credentials = {"email": f"{self.account}@demo.pytake", "password": password}
        signed_in = self._fetch("POST", "/auth/login", credentials, {})
        token = {"authorization": f"Bearer {signed_in['access_token']}"}
        return self._fetch(method, path, body, token)

    def _fetch(
        self, method: str, path: str, body: dict[str, Any], headers: dict[str, str]
    ) -> dict[str, Any]:
        answer = self.context.request.fetch(
            f"{self.url}/api/v1{path}", method=method, data=body, headers=headers
        )
        assert answer.ok, f"{answer.status}: {answer.text()}"
        created: dict[str, Any] = answer.json()
        return created

    def show(self, view: str) -> None:
        """Choose a list: mine, unassigned, all or closed."""
        self.page.click(f"[data-view={view}]")

    def open(self, name: str, page: Page | None = None) -> None:
        page = page or self.page
        page.locator("[data-conversation]", has_text=name).click()
        expect(page.locator(".thread-name")).to_have_text(name)
        self.messages(page).first.wait_for()

    def write(self, text: str) -> None:
        self.page.fill("[data-composer]", text)
        self.page.press("[data-composer]", "Enter")

    def messages(self, page: Page | None = None) -> Locator:
        return (page or self.page).locator("[data-message]")

    def message(self, text: str, page: Page | None = None) -> Locator:
        return self.messages(page).filter(has_text=text)

    def status_of(self, text: str) -> str | None:
        return self.message(text).get_attribute("data-status")

    @property
    def connection(self) -> Locator:
        return self.page.locator(".connection-line")

    def is_connected(self) -> None:
        """Wait until the one line says nothing: all is well."""
        expect(self.connection).to_have_class(re.compile(r"\bonline\b"))

    def logged(self, beginning: str) -> list[str]:
        return [line for line in self.console if line.startswith(beginning)]

    def wait_until_logged(self, beginning: str, times: int, page: Page) -> None:
        """Wait for lines of the console; a page that is open keeps its events coming."""
        deadline = time.monotonic() + scaled(_PATIENCE_MS / 1_000)
        while len(self.logged(beginning)) < times:
            assert time.monotonic() < deadline, f"not {times} times: {beginning}"
            page.wait_for_timeout(50)

    def close(self) -> None:
        self.context.close()


def built_page() -> Path:
    return Path(__file__).parents[2] / "services/web/inbox/dist/index.html"
