"""Hosts on one machine: network namespaces with addresses of their own, and links that can be cut.

A killed process closes its connections and a stopped one still acknowledges what it is sent. A
host whose cable is pulled does neither: nothing comes back, not even a refusal. It takes root,
`ip` and a kernel that allows namespaces; `missing()` says what is not there.
"""

from __future__ import annotations

import atexit
import contextlib
import itertools
import os
import pwd
import random
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Self

_PREFIX = "pytake"
_SBIN = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class HostsMissing(Exception):
    """This machine cannot have such hosts; the message says why."""


class Host:
    """One network namespace, connected to the others by a link to a bridge."""

    def __init__(self, name: str, namespace: str, address: str, link: str) -> None:
        self.name = name
        self.address = address
        self._namespace = namespace
        self._link = link

    def command(self, command: Sequence[str], user: str | None) -> list[str]:
        """Return what starts a program on this host, as this user if one is named.

        Each part replaces itself by the next: the process id is the program's.
        """
        become: list[str] = []
        if user is not None:
            ids = pwd.getpwnam(user)
            become = [_program("setpriv"), f"--reuid={ids.pw_uid}", f"--regid={ids.pw_gid}"]
            become.append("--clear-groups")
        return [_program("ip"), "netns", "exec", self._namespace, *become, *command]

    def cut(self) -> None:
        """Pull the cable: what is sent in either direction is lost, and nobody is told."""
        _ip("link", "set", self._link, "down")

    def mend(self) -> None:
        """Put the cable back."""
        _ip("link", "set", self._link, "up")


class Network:
    """A bridge in the namespace of the tests, and the hosts on it. Gone after the `with`."""

    def __init__(self) -> None:
        self._id = f"{_PREFIX}-{os.getpid()}"
        self._mark = f"{random.randrange(16**4):04x}"
        self._subnet = f"10.213.{random.randrange(1, 255)}"
        self._bridge = f"pt{self._mark}br"
        self._numbers = itertools.count(2)
        self._namespaces: list[str] = []

    @property
    def address(self) -> str:
        """Where the tests' own namespace is seen from the hosts."""
        return f"{self._subnet}.1"

    @property
    def subnet(self) -> str:
        return f"{self._subnet}.0/24"

    def __enter__(self) -> Self:
        if why := missing():
            raise HostsMissing(why)
        _remove_what_the_dead_left()
        atexit.register(self.close)
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.address}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove hosts and bridge; programs that still run there lose their network."""
        for namespace in self._namespaces:
            _ip_if_possible("netns", "del", namespace)
        self._namespaces.clear()
        _ip_if_possible("link", "del", self._bridge)
        atexit.unregister(self.close)

    def host(self, name: str) -> Host:
        """Make a host that reaches every other one, and the tests."""
        number = next(self._numbers)
        namespace, link = f"{self._id}-{name}", f"pt{self._mark}v{number}"
        address = f"{self._subnet}.{number}"
        _ip("netns", "add", namespace)
        self._namespaces.append(namespace)
        _ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace)
        _ip("link", "set", link, "master", self._bridge)
        _ip("link", "set", link, "up")
        for arguments in (
            ("link", "set", "lo", "up"),
            ("addr", "add", f"{address}/24", "dev", "eth0"),
            ("link", "set", "eth0", "up"),
        ):
            _ip("-n", namespace, *arguments)
        return Host(name, namespace, address, link)


def missing() -> str | None:
    """Return what this machine lacks for hosts of their own, or None."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for program in ("ip", "setpriv"):
        if shutil.which(program, path=_SBIN) is None:
            return f"{program} is not installed (make servers)"
    probe = f"{_PREFIX}-{os.getpid()}-probe"
    try:
        _ip("netns", "add", probe)
        _ip("-n", probe, "link", "add", "probe", "type", "veth")
    except HostsMissing as why:
        return str(why)
    finally:
        _ip_if_possible("netns", "del", probe)
    return None


def _remove_what_the_dead_left() -> None:
    """Namespaces carry the id of the process that made them; bridges go with their last link."""
    for entry in Path("/run/netns").glob(f"{_PREFIX}-*-*"):
        pid = entry.name.split("-")[1]
        if pid.isdigit() and not Path(f"/proc/{pid}").exists():
            _ip_if_possible("netns", "del", entry.name)


def _program(name: str) -> str:
    return shutil.which(name, path=_SBIN) or name


def _ip(*arguments: str) -> None:
    done = subprocess.run([_program("ip"), *arguments], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise HostsMissing(f"ip {' '.join(arguments)}: {done.stderr.strip()}")


def _ip_if_possible(*arguments: str) -> None:
    with contextlib.suppress(HostsMissing):
        _ip(*arguments)
