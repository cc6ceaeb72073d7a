"""Programs as child processes: found, started as the right user, watched, stopped by their id."""

from __future__ import annotations

import atexit
import contextlib
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING

from cluster.waiting import scaled, wait_until

if TYPE_CHECKING:
    from cluster.hosts import Host

# An empty environment has no sbin, where Debian keeps nginx and pgbouncer.
_SEARCH_PATH = os.pathsep.join(
    [os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"]
)

# Below Linux's range for outgoing connections: no client socket can take the port meanwhile.
_PORTS = range(15000, 32000)


class ProgramMissing(Exception):
    """A program that the tests need is not installed; `make servers` installs it."""


class ProgramFailed(Exception):
    """A program ended by itself; the message holds the end of what it printed."""


def find_program(name: str, *globs: str) -> Path:
    """The newest file that matches one of the globs, else the program of that name on PATH."""
    for pattern in globs:
        if matches := sorted(Path("/").glob(pattern.lstrip("/")), key=_version_of):
            return matches[-1]
    if found := shutil.which(name, path=_SEARCH_PATH):
        return Path(found)
    raise ProgramMissing(f"left out: {name} is not installed (make servers)")


def _version_of(path: Path) -> list[int]:
    return [int(part) for part in path.parts if part.isdigit()]


def free_port() -> int:
    """A port of 127.0.0.1 on which nothing listens."""
    for _ in range(100):
        port = random.choice(_PORTS)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                probe.bind(("127.0.0.1", port))
                return port
    raise OSError("no free port on 127.0.0.1")


LOOPBACK = "127.0.0.1"


def address_of(host: Host | None) -> str:
    """Where a program on this host is reached; without a host of its own, on loopback."""
    return LOOPBACK if host is None else host.address


def is_listening(port: int) -> bool:
    """Whether something accepts connections on this port of 127.0.0.1."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def temporary_folder(prefix: str) -> Path:
    """A folder that an unprivileged server can reach too; it is removed when this process ends."""
    folder = Path(tempfile.mkdtemp(prefix=f"pytake-{prefix}-"))
    folder.chmod(0o711)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def unprivileged_user() -> str | None:
    """Who runs the servers that refuse root: nobody else than us, unless we are root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def hand_over(path: Path, user: str | None) -> None:
    """Make an unprivileged server the owner of its folder or file."""
    if user is not None:
        shutil.chown(path, user)


class _Watchdog:
    """Kills the programs of this process if this process dies without stopping them.

    A program is known by its id and its birth: ids are used again, and a program that ended long
    ago must not cost a stranger its life.
    """

    _SCRIPT = """
        born() { # the 22nd field of stat; the second is a name that may hold anything
            local stat fields
            stat=$(cat "/proc/$1/stat" 2>/dev/null) || return
            read -r -a fields <<<"${stat##*) }"
            echo "${fields[19]}"
        }
        declare -A births
        while read -r pid; do births[$pid]=$(born "$pid"); done
        for pid in "${!births[@]}"; do
            if [ -n "${births[$pid]}" ] && [ "$(born "$pid")" = "${births[$pid]}" ]; then
                kill -KILL "$pid"
            fi
        done
    """

    def __init__(self) -> None:
        self._pipe: IO[bytes] | None = None

    def watch(self, pid: int) -> None:
        if self._pipe is None:
            watchdog = subprocess.Popen(
                ["bash", "-c", self._SCRIPT],
                stdin=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            self._pipe = watchdog.stdin
            assert self._pipe is not None
            atexit.register(self._pipe.close)
            # It ends with the pipe, after us: nobody is left to wait for it.
            watchdog.returncode = 0
        self._pipe.write(f"{pid}\n".encode())
        self._pipe.flush()


_watchdog = _Watchdog()


class Program:
    """A child process that can be started again with the same settings.

    Its output goes to `log`, appended over restarts.
    """

    stop_signal = signal.SIGTERM

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        log: Path,
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        folder: Path | None = None,
        host: Host | None = None,
    ) -> None:
        self.name = name
        self.command = [str(part) for part in command]
        self.log = log
        self.env = dict(env) if env is not None else None
        self.user = user
        self.folder = folder
        self.host = host
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        if self._process is None:
            raise ProgramFailed(f"{self.name} was never started")
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process; whether it serves already is for `wait_until_serving` to say."""
        # On another host the user is changed there: who enters its namespace must be root.
        user = self.user if self.host is None else None
        command = self.command if self.host is None else self.host.command(self.command, self.user)
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.env,
                user=user,
                group=pwd.getpwnam(user).pw_gid if user else None,
                extra_groups=[] if user else None,
                cwd=self.folder,
                start_new_session=True,
            )
        _watchdog.watch(self._process.pid)

    def is_serving(self) -> bool:
        """Whether it answers; each kind of program knows how to ask."""
        return self.is_running

    def wait_until_serving(self, within_seconds: float = 20) -> None:
        """Return once it answers.

        Raises:
            ProgramFailed: It ended instead.
            TimeoutError: It runs and does not answer.
        """

        def serves_or_died() -> bool:
            if not self.is_running:
                raise ProgramFailed(f"{self.name} ended with {self.wait(1)}:\n{self.last_words()}")
            return self.is_serving()

        try:
            wait_until(serves_or_died, f"{self.name} answers", within_seconds)
        except TimeoutError as late:
            raise TimeoutError(f"{late}\n{self.last_words()}") from late

    def send_signal(self, number: signal.Signals) -> None:
        """Send a signal to this process alone."""
        assert self._process is not None
        self._process.send_signal(number)

    def freeze(self) -> None:
        """Stop it in its tracks: its connections stay open and answer nothing."""
        self.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """End it without warning, as a lost machine would."""
        self.send_signal(signal.SIGKILL)
        self.wait(10)

    def wait(self, within_seconds: float = 30) -> int:
        """Its exit status, once it has ended; negative for the signal that ended it."""
        assert self._process is not None
        try:
            status = self._process.wait(scaled(within_seconds))
        except subprocess.TimeoutExpired as late:
            raise TimeoutError(f"{self.name} runs on\n{self.last_words()}") from late
        return status

    def stop(self, within_seconds: float = 30) -> int:
        """Ask it to end and wait; kill it at the deadline. Nothing happens if it has ended."""
        if self._process is None:
            return 0
        if not self.is_running:
            return self.wait(1)
        self.thaw()
        self.send_signal(self.stop_signal)
        try:
            return self.wait(within_seconds)
        except TimeoutError:
            self.kill()
            raise

    def restart(self) -> None:
        """Start it once more with the same settings, after stopping it if it runs."""
        self.stop()
        self.start()
        self.wait_until_serving()

    def last_words(self, lines: int = 30) -> str:
        """The end of what it printed."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
