"""Argon2id in two threads, so that a login never holds up the loop.

At most two hashes are computed at a time and at most 64 wait; more is `overloaded`, so
that a flood of logins costs neither all processors nor all memory.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from argon2 import PasswordHasher as Argon2
from argon2.exceptions import InvalidHashError, VerificationError

from pytake.domain.errors import ErrorCode, Unavailable

T = TypeVar("T")

THREADS = 2
MAX_WAITING = 64

# OWASP's figures for Argon2id: 19 MiB, two passes, one lane.
_MEMORY_KIB = 19_456
_PASSES = 2


class Argon2Passwords:
    """Port `PasswordHasher`."""

    def __init__(self) -> None:
        self._argon2 = Argon2(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=1)
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="passwords")
        self._waiting = 0
        self._nobody: str | None = None

    async def hash(self, password: str) -> str:
        """Return the hash to store."""
        return await self._in_thread(lambda: self._argon2.hash(password))

    async def is_right(self, password: str, password_hash: str | None) -> bool:
        """Compare in the same time whether or not there is such a user."""
        return await self._in_thread(lambda: self._compare(password, password_hash))

    def _compare(self, password: str, password_hash: str | None) -> bool:
        if self._nobody is None:
            self._nobody = self._argon2.hash("nobody has this password")
        try:
            self._argon2.verify(password_hash or self._nobody, password)
        except (VerificationError, InvalidHashError):
            return False
        return password_hash is not None

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= MAX_WAITING:
            raise Unavailable(ErrorCode.OVERLOADED, retry_after_ms=1000)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, work)
        finally:
            self._waiting -= 1

    def close(self) -> None:
        """Let the threads end."""
        self._threads.shutdown(wait=False, cancel_futures=True)
