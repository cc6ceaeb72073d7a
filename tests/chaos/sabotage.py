"""Pods with one promise switched off, to prove that the checker notices.

    python -m chaos.sabotage HOW gateway|api|relay

The product has no such switch: the pod is started from here, with one piece replaced.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cluster.cluster import Cluster
from cluster.pods import Pod, PodKind


def without_hole_check() -> None:
    """Emit whatever is newer than the head, holes or not, and never ask the store."""
    from pytake.domain.events import ConversationEvent
    from pytake.gateway.sequencer import Sequencer

    def offer(self: Any, event: ConversationEvent, now: float) -> list[ConversationEvent]:
        if self.head is None or event.seq <= self.head:
            return []
        self.head = event.seq
        return [event]

    Sequencer.offer = offer  # type: ignore[method-assign]
    Sequencer.has_hole = property(lambda self: False)  # type: ignore[assignment, method-assign]


def without_unique_key() -> None:
    """Store each request as a message of its own, however often it comes."""
    from pytake.application.send_message import SendMessage

    send = SendMessage.__call__

    async def careless(self: Any, principal: Any, conversation_id: Any, draft: Any) -> Any:
        return await send(self, principal, conversation_id, replace(draft, client_message_id=None))

    SendMessage.__call__ = careless  # type: ignore[method-assign]


def without_fence() -> None:
    """Let old connections live on after their successors have joined."""
    from pytake.domain.errors import ErrorCode
    from pytake.gateway.registry import Registry

    end = Registry.end

    def forgetful(self: Any, sid: str, code: ErrorCode, detail: str = "") -> None:
        if code is not ErrorCode.SUPERSEDED:
            end(self, sid, code, detail)

    Registry.end = forgetful  # type: ignore[method-assign]


def dying_before_publish() -> None:
    """Die between a commit and its publish, now and then: the worst moment there is."""
    from pytake.application.announce import Announcer

    announce = Announcer.__call__
    count = 0

    async def fatal(self: Any, committed: Any) -> None:
        nonlocal count
        count += 1
        if count == 40:
            os.kill(os.getpid(), signal.SIGKILL)
        await announce(self, committed)

    Announcer.__call__ = fatal  # type: ignore[method-assign]


SABOTAGES: dict[str, Callable[[], None]] = {
    "hole-check": without_hole_check,
    "unique-key": without_unique_key,
    "fence": without_fence,
    "die-before-publish": dying_before_publish,
}


class SabotagedCluster(Cluster):
    """A cluster in which all pods of some kinds are sabotaged."""

    def __init__(self, how: str, kinds: Sequence[PodKind], **options: Any) -> None:
        super().__init__(**options)
        self._how = how
        self._kinds = kinds

    def _new_pod(self, kind: PodKind, settings: Any = None) -> Pod:
        pod = super()._new_pod(kind, settings)
        if kind in self._kinds:
            pod.command = [sys.executable, "-m", "chaos.sabotage", self._how, kind]
            assert pod.env is not None
            pod.env["PYTHONPATH"] = str(Path(__file__).parents[1])
        return pod


def heal(pod: Pod) -> None:
    """Let the pod be a plain one from its next start on."""
    pod.command = [str(Path(sys.executable).parent / "pytake"), pod.kind]


def main() -> None:
    """Replace one piece, then be the pod."""
    how, *arguments = sys.argv[1:]
    SABOTAGES[how]()
    sys.argv = ["pytake", *arguments]
    from pytake.processes.main import main as pytake

    pytake()


if __name__ == "__main__":
    main()
