"""Work that one process of the cluster does at a time."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

from pytake.application.channel_ports import Leases
from pytake.domain.errors import Unavailable

LEASE_SECONDS = 6.0
RENEW_SECONDS = 2.0
TRY_SECONDS = 1.0


async def while_leased(
    leases: Leases,
    name: str,
    holder: str,
    work: Callable[[], Awaitable[None]],
    *,
    lease_seconds: float = LEASE_SECONDS,
    renew_seconds: float = RENEW_SECONDS,
    try_seconds: float = TRY_SECONDS,
) -> None:
    """Do the work whenever the lease is ours, for ever; returns only if the work returns.

    The work is cancelled when the lease could not be renewed in time. The next holder may
    start up to `lease_seconds` after a crash; on an orderly end the lease is given back.
    """
    try:
        while True:
            if await _had(leases, name, holder, lease_seconds):
                if await _held(leases, name, holder, work, lease_seconds, renew_seconds):
                    return
            else:
                await asyncio.sleep(try_seconds)
    finally:
        with contextlib.suppress(Unavailable):
            await leases.release(name, holder)


async def _had(leases: Leases, name: str, holder: str, seconds: float) -> bool:
    try:
        return await leases.acquire(name, holder, seconds=seconds)
    except Unavailable:
        return False


async def _held(
    leases: Leases,
    name: str,
    holder: str,
    work: Callable[[], Awaitable[None]],
    lease_seconds: float,
    renew_seconds: float,
) -> bool:
    """Work until it ends (True) or the lease is lost (False)."""
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    good_until = loop.time() + lease_seconds
    try:
        while loop.time() < good_until:
            await asyncio.wait([task], timeout=renew_seconds)
            if task.done():
                await task
                return True
            asked = loop.time()
            if await _had(leases, name, holder, lease_seconds):
                good_until = asked + lease_seconds
        return False
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
