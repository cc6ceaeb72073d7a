"""Processor time and memory of a server on this machine, read from /proc (Linux)."""

import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

_LISTENING = "0A"


@dataclass(frozen=True)
class Use:
    """What processes have used."""

    cpu_seconds: float = 0.0
    memory_kb: float = 0.0
    files: int = 0


def use_of(pid: int) -> Use:
    """Return what a process has used, all its threads; nothing if it is gone."""
    process = Path(f"/proc/{pid}")
    cpu = 0.0
    with suppress(OSError):
        for thread in (process / "task").iterdir():
            with suppress(OSError, ValueError, IndexError):
                cpu += int((thread / "schedstat").read_text().split()[0]) / 1e9
    memory = 0.0
    with suppress(OSError):
        for line in (process / "smaps_rollup").read_text().splitlines():
            if line.startswith("Rss:"):
                memory = float(line.split()[1])
    files = 0
    with suppress(OSError):
        files = len(os.listdir(process / "fd"))
    return Use(cpu, memory, files)


def uses_of(pids: Iterable[int]) -> dict[int, Use]:
    """Return what each process has used."""
    return {pid: use_of(pid) for pid in pids}


def with_children(pid: int) -> list[int]:
    """Return the process and all that it started, parents first."""
    found, todo = [], [pid]
    while todo:
        found.append(each := todo.pop(0))
        with suppress(OSError):
            for thread in Path(f"/proc/{each}/task").iterdir():
                with suppress(OSError):
                    todo += map(int, (thread / "children").read_text().split())
    return found


def name_of(pid: int) -> str:
    """Return a short name for a table."""
    with suppress(OSError):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        names = [os.path.basename(word.decode(errors="replace")) for word in words[:4] if word]
        if "pytake" in names:
            return "pytake " + " ".join(names[names.index("pytake") + 1 :][:1])
        return names[0] if names else str(pid)
    return str(pid)


def listening_on(port: int) -> list[int]:
    """Return the processes of this machine that listen on a TCP port, where we may look."""
    inodes = set()
    for table in ("tcp", "tcp6"):
        with suppress(OSError):
            for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rsplit(":", 1)[1], 16) == port:
                    inodes.add(f"socket:[{fields[9]}]")
    if not inodes:
        return []
    found = []
    for process in Path("/proc").iterdir():
        if not process.name.isdigit():
            continue
        with suppress(OSError):
            links = (process / "fd").iterdir()
            if any(os.readlink(link) in inodes for link in links):
                found.append(int(process.name))
    return sorted(found)
