"""The generator in C (swarm.c), compiled at first use with the system's compiler.

The library lies in the user's cache folder under the hash of its source, so that a new version
compiles itself anew and two versions live side by side. Without a compiler `build` says so,
and pytake.bench.plain serves instead.
"""

import ctypes
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from pytake.bench.histogram import BUCKETS, Histogram
from pytake.bench.swarm import Address, Counts, Speech, Timing

_SOURCE = Path(__file__).with_name("swarm.c")
_FIELDS = tuple(Counts.__dataclass_fields__)


class CannotBuild(Exception):
    """There is no library and none can be made; the text says why."""


class _Figures(ctypes.Structure):
    _fields_ = [(name, ctypes.c_uint64) for name in _FIELDS]


def cache_folder() -> Path:
    """Where compiled generators lie."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "pytake"


@cache
def build() -> Path:
    """Return the library, compiling it if it is not there yet.

    Raises:
        CannotBuild: No compiler, or it refused, or the cache cannot be written.
    """
    source = _SOURCE.read_bytes()
    library = cache_folder() / f"swarm-{hashlib.sha256(source).hexdigest()[:16]}.so"
    if library.exists():
        return library
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if compiler is None:
        raise CannotBuild("there is no C compiler (install gcc, or set CC)")
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=library.parent) as folder:
            made = Path(folder) / library.name
            # Compression needs zlib's header, which may be missing.
            refusal = _compile(compiler, made, "-DWITH_ZLIB", "-lz") and _compile(compiler, made)
            if refusal:
                raise CannotBuild(f"{compiler}: {refusal.splitlines()[0]}")
            made.rename(library)
    except OSError as error:
        raise CannotBuild(str(error)) from error
    return library


def _compile(compiler: str, made: Path, *options: str) -> str:
    """Return why it failed, or nothing."""
    command = [compiler, "-O2", "-shared", "-fPIC", "-o", str(made), str(_SOURCE), *options]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return "" if done.returncode == 0 else done.stderr or f"exit status {done.returncode}"


@cache
def _library() -> Any:
    library = ctypes.CDLL(str(build()))
    library.swarm_new.restype = ctypes.c_void_p
    library.swarm_figures.restype = ctypes.POINTER(_Figures)
    library.swarm_histogram.restype = ctypes.POINTER(ctypes.c_uint64)
    library.swarm_states.restype = ctypes.POINTER(ctypes.c_uint8)
    library.swarm_retry_after_ms.restype = ctypes.POINTER(ctypes.c_uint32)
    library.swarm_last_error.restype = ctypes.c_char_p
    return library


class NativeSwarm:
    """`Swarm` on one epoll."""

    is_native = True

    def __init__(
        self,
        address: Address,
        speech: Speech,
        *,
        seats: int,
        lanes: int = 16,
        shard: int = 0,
        api: Address | None = None,
    ) -> None:
        if address.is_tls:
            raise ValueError("the generator in C speaks ws:// only")
        self._c = _library()
        request = address.upgrade_request.encode()
        made = self._c.swarm_new(address.ip.encode(), address.port, request, seats, lanes, shard)
        if not made:
            raise ValueError(f"{address.ip} is no address")
        self._self = ctypes.c_void_p(made)
        self._seats = seats
        if api is not None:
            self._c.swarm_requests_to(self._self, api.ip.encode(), api.port)
        self._c.swarm_expect(
            self._self, speech.delivered.encode(), speech.joined.encode(), speech.answered.encode()
        )
        self._figures = self._c.swarm_figures(self._self).contents
        self._states = self._c.swarm_states(self._self)
        self._retry_after_ms = self._c.swarm_retry_after_ms(self._self)

    def seat(self, number: int, auth: str, join: str, seen: int = 0) -> None:
        self._c.swarm_seat(self._self, number, auth.encode(), join.encode(), ctypes.c_uint64(seen))

    def open(self, number: int) -> None:
        self._c.swarm_open(self._self, number)

    def close(self, number: int) -> None:
        self._c.swarm_close(self._self, number)

    def stall(self, number: int) -> None:
        self._c.swarm_stall(self._self, number)

    def say(self, number: int, packet: str) -> bool:
        payload = packet.encode()
        return bool(self._c.swarm_say(self._self, number, payload, ctypes.c_size_t(len(payload))))

    def repeat(self, packet: str) -> None:
        self._c.swarm_repeat(self._self, packet.encode() or None)

    def request(self, request: bytes) -> bool:
        return bool(self._c.swarm_request(self._self, request, ctypes.c_size_t(len(request))))

    def step(self, milliseconds: int, own_deliveries: int = 0) -> None:
        self._c.swarm_step(self._self, milliseconds, ctypes.c_uint64(own_deliveries))

    def measure(self, begins: bool) -> None:
        self._c.swarm_measure(self._self, int(begins))

    def counts(self) -> Counts:
        return Counts(**{name: getattr(self._figures, name) for name in _FIELDS})

    def count(self, name: str) -> int:
        value: int = getattr(self._figures, name)
        return value

    def histogram(self, timing: Timing) -> Histogram:
        return Histogram.of_counts(self._c.swarm_histogram(self._self, int(timing))[:BUCKETS])

    def states(self) -> Sequence[int]:
        return bytes(self._states[: self._seats])

    def retry_after_seconds(self, number: int) -> float:
        return self._retry_after_ms[number] / 1000  # type: ignore[no-any-return]

    def last_error(self) -> str:
        return str(self._c.swarm_last_error(self._self).decode(errors="replace"))

    def end(self) -> None:
        if self._self:
            self._c.swarm_free(self._self)
            self._self = ctypes.c_void_p()
