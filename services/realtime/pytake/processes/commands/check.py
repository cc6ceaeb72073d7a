"""`pytake check`: one line a check, so that an operator sees what is wrong before users do.

Every check runs although another one failed; each has a deadline. What cannot be wrong
without an earlier failure (the schema of a database that is away) is left out.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from pytake.domain.errors import PytakeError
from pytake.domain.principal import Role
from pytake.processes.clock import utc_now
from pytake.processes.commands.check_outside import outside_checks
from pytake.processes.commands.token import signed_token
from pytake.processes.redis_client import connect_redis
from pytake.processes.tokens import token_rules
from pytake.settings import BadSettings, Settings, load, media_folder
from pytake.store import Store, StoreNotUsable, open_store
from pytake.tokens.jwks import JwksKeys
from pytake.tokens.verifier import HMAC_ALGORITHMS, JwtVerifier
from pytake.whatsapp.graph import GraphClient, GraphError, Number

DEADLINE_SECONDS = 10
GRAPH_SECONDS = 8.0
MAX_CLOCK_SKEW = timedelta(seconds=2)
"""Tokens have a leeway of 5 s, which the clocks of two pods share."""


class Failed(Exception):
    """What a check found wrong, in words an operator can act on."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is fine, and what was seen."""

    name: str
    is_fine: bool
    text: str

    def __str__(self) -> str:
        return f"{'ok' if self.is_fine else 'FAILED':<7}{self.name:<18}{self.text}"


async def check_all(url: str, echo: Callable[[str], None]) -> bool:
    """Print a line for each check; return whether all are fine."""
    is_all_fine = True
    async for finding in _findings(url):
        echo(str(finding))
        is_all_fine = is_all_fine and finding.is_fine
    return is_all_fine


async def _findings(url: str) -> AsyncIterator[Finding]:
    try:
        settings = load("command")
    except BadSettings as error:
        for mistake in error.mistakes:
            yield Finding("settings", False, mistake)
        return
    yield Finding("settings", True, "no mistake found")
    async for finding in _of_the_store(settings):
        yield finding
    checks: list[tuple[str, Callable[[], Awaitable[str]]]] = [
        ("redis", lambda: _redis(settings)),
        ("keys", lambda: _keys(settings)),
        ("media", lambda: _media(settings)),
    ]
    if url:
        checks += outside_checks(url)
    for name, check in checks:
        yield await _found(name, check)


async def _found(name: str, check: Callable[[], Awaitable[str]]) -> Finding:
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return Finding(name, True, await check())
    except TimeoutError:
        return Finding(name, False, f"no answer within {DEADLINE_SECONDS} s")
    except PytakeError as error:
        return Finding(name, False, f"{error.code.value}: {error.detail or 'not reachable'}")
    except Exception as error:
        # A check that breaks has found something, too; its text may hold an address, no secret.
        return Finding(name, False, str(error) or type(error).__name__)


async def _of_the_store(settings: Settings) -> AsyncIterator[Finding]:
    try:
        store = open_store(settings.database_url, pool_size=1)
        async with asyncio.timeout(DEADLINE_SECONDS):
            await store.open()
    except (StoreNotUsable, PytakeError, TimeoutError, OSError) as error:
        text = getattr(error, "detail", "") or str(error) or "not reachable"
        yield Finding("database", False, text)
        return
    try:
        kind = settings.database_url.partition("+")[0]
        yield Finding("database", True, f"{kind}, with the schema of this program")
        yield await _found("database clock", lambda: _database_clock(store))
        yield await _found("database commits", lambda: _durability(store))
        yield await _found("whatsapp", lambda: _channels(settings, store))
    finally:
        await store.close()


async def _database_clock(store: Store) -> str:
    return _skew(await store.time())


async def _durability(store: Store) -> str:
    if off := await store.forgets_in_a_crash():
        raise Failed(f"a crash loses answered messages: {' and '.join(off)} off in PostgreSQL")
    return "outlive a crash"


async def _channels(settings: Settings, store: Store) -> str:
    numbers = [number async for number in _numbers(settings, store)]
    if not numbers:
        raise Failed(
            "no number: outbound messages stay pending (PYTAKE_WHATSAPP_*, POST /channels)"
        )
    async with GraphClient.connect(
        settings.whatsapp_api_url, settings.whatsapp_api_version, timeout=GRAPH_SECONDS
    ) as graph:
        answers = await asyncio.gather(*(_problem(graph, number) for number in numbers))
    if problems := [answer for answer in answers if answer is not None]:
        raise Failed("; ".join(problems))
    return f"{len(numbers)} number(s), and WhatsApp takes their tokens"


async def _numbers(settings: Settings, store: Store) -> AsyncIterator[Number]:
    token = settings.whatsapp_access_token
    of_settings = settings.whatsapp_phone_number_id if token is not None else ""
    if token is not None and of_settings:
        yield Number(of_settings, token.get_secret_value())
    for channel in await store.channels.active_channels():
        found = await store.channels.access_token(channel.id)
        if found is not None and channel.phone_number_id != of_settings:
            yield Number(channel.phone_number_id, found)


async def _problem(graph: GraphClient, number: Number) -> str | None:
    try:
        await graph.number_info(number)
    except GraphError as problem:
        if problem.error is None:
            return f"{number.phone_number_id}: WhatsApp does not answer ({problem})"
        return f"{number.phone_number_id}: WhatsApp refuses it ({problem.error.code}: {problem})"
    return None


async def _redis(settings: Settings) -> str:
    if not settings.redis_url:
        raise Failed("PYTAKE_REDIS_URL is empty: only `pytake dev` runs without it")
    client = connect_redis(settings.redis_url)
    try:
        await client.ping()
        seconds, microseconds = await client.time()
        return _skew(datetime.fromtimestamp(int(seconds) + int(microseconds) / 1e6, UTC))
    finally:
        await client.aclose()


async def _keys(settings: Settings) -> str:
    rules, found = token_rules(settings), []
    if settings.uses_hmac:
        if not rules.secrets:
            raise Failed("PYTAKE_JWT_SECRET is not set")
        ids = {"user": "check", "organization": "check", "role": Role.BOT}
        hmac_only = [name for name in rules.algorithms if name in HMAC_ALGORITHMS]
        token = signed_token(rules, **ids, ttl=timedelta(minutes=1), now=utc_now())  # type: ignore[arg-type]
        await JwtVerifier(rules)(token)
        found.append(f"{', '.join(hmac_only)} with {len(rules.secrets)} secret(s)")
    if settings.jwt_jwks_url:
        keys = JwksKeys(settings.jwt_jwks_url)
        try:
            await keys.refresh()
            if not keys.count:
                raise Failed("no key could be fetched from PYTAKE_JWT_JWKS_URL")
            found.append(f"{keys.count} public key(s)")
        finally:
            await keys.close()
    return "; ".join(found) or "nothing to check"


async def _media(settings: Settings) -> str:
    folder = media_folder(settings)
    if folder is None:
        return "an object store; not looked at"
    above = folder
    while not above.exists():
        above = above.parent
    if not os.access(above, os.W_OK | os.X_OK):
        raise Failed(f"{folder} cannot be written")
    if folder.exists():
        with tempfile.TemporaryFile(dir=folder):
            pass
    return f"{folder} can be written"


def _skew(theirs: datetime) -> str:
    skew = (theirs - utc_now()).total_seconds()
    if abs(skew) > MAX_CLOCK_SKEW.total_seconds():
        raise Failed(f"the clocks are {skew:+.1f} s apart; tokens and limits need the same time")
    return f"clock {skew:+.3f} s"
