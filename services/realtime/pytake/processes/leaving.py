"""What `GET /internal/drain?wait=10` does before a process may end.

The chart's preStop hook asks for it. Kubernetes takes a pod out of the Service while the hook
runs, and proxies hear of that some seconds later: who stops before sends them into a closed
door. So the process is not ready from the first moment, serves on for the time asked for, and
only then answers; the answer is the kubelet's word for SIGTERM.
"""

import asyncio
import math
import socket
from collections.abc import Callable, Mapping
from typing import Any

from pytake.observability.probes import Probes

LONGEST_SECONDS = 300.0


async def leave_first(
    query: Mapping[str, str], leave: Callable[[], None]
) -> tuple[int, Any] | None:
    """Leave, and return after `wait` seconds; at once where none are asked for.

    Returns:
        The refusal of a `wait` that is no number of seconds from 0 to 300, else None.
    """
    try:
        seconds = float(query.get("wait", "0"))
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= LONGEST_SECONDS:
        return 400, {"error": f"wait is a number of seconds from 0 to {LONGEST_SECONDS:.0f}"}
    if seconds:
        leave()
        await asyncio.sleep(seconds)
    return None


def add_inner_routes_without_sockets(probes: Probes) -> None:
    """Answer `/internal/drain` and `/internal/connections` for a process that keeps no sockets.

    It works on until its SIGTERM, and is not ready meanwhile; nobody is ever connected.
    """
    left = asyncio.Event()
    probes.add_check("drain", lambda: "draining" if left.is_set() else None)

    async def drain(query: Mapping[str, str]) -> tuple[int, Any]:
        if refused := await leave_first(query, left.set):
            return refused
        left.set()
        return 202, {"draining": True}

    async def connections(_: Mapping[str, str]) -> tuple[int, Any]:
        return 200, {"pod": socket.gethostname(), "items": []}

    probes.add_handler("/internal/drain", drain)
    probes.add_handler("/internal/connections", connections)
