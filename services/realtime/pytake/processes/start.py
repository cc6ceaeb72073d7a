"""How every process begins and ends: settings, logs, event loop, exit status.

Exit status: 0 after a clean stop, 1 for what went wrong while running, 2 for settings
with mistakes, which are printed one a line before anything listens.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

import uvloop

from pytake.broker.redis import parse_address
from pytake.processes.server import CannotListen
from pytake.settings import BadSettings, Process, Settings, load
from pytake.store import StoreNotUsable

BAD_SETTINGS_STATUS = 2


def settings_or_exit(process: Process, **overrides: object) -> Settings:
    """Return the settings, or print every mistake on standard error and exit 2."""
    try:
        settings = load(process, **overrides)
        if process in ("api", "gateway", "relay"):
            _read_redis_url(settings.redis_url)
    except BadSettings as error:
        for line in error.mistakes:
            print(line, file=sys.stderr)
        sys.exit(BAD_SETTINGS_STATUS)
    return settings


def _read_redis_url(url: str) -> None:
    """Read the address as it will be used, with the files that it names."""
    try:
        parse_address(url)
    except (ValueError, OSError) as error:
        raise BadSettings([f"PYTAKE_REDIS_URL: {error}"]) from None


def run(main: Callable[[], Awaitable[None]]) -> NoReturn:
    """Run a process on uvloop and exit: 0 when `main` returns, 1 with a line where it cannot
    listen or has the wrong database."""
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_coroutine(main))
    except (CannotListen, StoreNotUsable) as error:
        sys.exit(str(error))
    sys.exit(0)


async def _coroutine(main: Callable[[], Awaitable[None]]) -> None:
    await main()
