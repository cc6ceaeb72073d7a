"""What users would have noticed of a rollout."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field

from chaos.checker import Report, check
from chaos.workload import Workload
from deploy.rollout.release import Release

SHOWN = 10


@dataclass
class Noticed:
    """The figures of one story.

    A handshake counts when a connection that follows another one has joined. The gap of a client
    is the longest time in which it had no whole connection, or waited for an acknowledged message.
    """

    clients: int
    sent: int
    delivered: int
    lost: int
    duplicated: int
    out_of_order: int
    violations: list[str]
    moves: int
    peak_per_second: int
    mean_per_second: float
    gaps: list[float]
    posts_repeated: int
    killed: int
    forced: int
    hook_failures: list[str] = field(default_factory=list)

    @property
    def gap_p99(self) -> float:
        ordered = sorted(self.gaps)
        return ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]

    def broken_promises(self, *, longest_gap: float, peak_factor: float) -> list[str]:
        """Return what should not have been, a sentence each."""
        broken = self.violations[:SHOWN] + self.hook_failures
        if self.lost or self.duplicated or self.out_of_order:
            broken.append(
                f"{self.lost} lost, {self.duplicated} twice, {self.out_of_order} out of order"
            )
        if self.gap_p99 >= longest_gap:
            broken.append(f"the gap of one client in a hundred is {self.gap_p99:.2f} s or more")
        if self.peak_per_second > peak_factor * self.mean_per_second:
            broken.append(
                f"{self.peak_per_second} handshakes in one second, "
                f"{self.mean_per_second:.1f} on average"
            )
        if self.killed:
            broken.append(f"{self.killed} pods were killed at the end of their grace")
        return broken

    def __str__(self) -> str:
        middle = sorted(self.gaps)[len(self.gaps) // 2]
        return (
            f"{self.clients} clients, {self.sent} messages sent, {self.delivered} delivered: "
            f"{self.lost} lost, {self.duplicated} twice, {self.out_of_order} out of order; "
            f"{self.moves} moves, {self.peak_per_second}/s at most, {self.mean_per_second:.1f}/s "
            f"on average; longest gap of a client p50 {middle:.2f} s, p99 {self.gap_p99:.2f} s, "
            f"worst {max(self.gaps):.2f} s; {self.forced} closed by force, "
            f"{self.killed} pods killed, {self.posts_repeated} posts repeated"
        )


def noticed(
    release: Release,
    workload: Workload,
    since: float,
    until: float = math.inf,
    report: Report | None = None,
) -> Noticed:
    """Judge what happened between two moments; the workload has settled.

    What was lost, came twice or out of order is that of the whole run: of its report, where there
    is one already.
    """
    report = report or check(workload.history)
    moves = [at for at in _moves(workload, since) if at <= until]
    seconds = Counter(int(at - since) for at in moves)
    lasted = max(1.0, moves[-1] - moves[0]) if moves else 1.0
    return Noticed(
        clients=len(workload.readers),
        sent=report.sent,
        delivered=report.delivered,
        lost=report.lost,
        duplicated=report.duplicated,
        out_of_order=report.out_of_order,
        violations=report.violations,
        moves=len(moves),
        peak_per_second=max(seconds.values(), default=0),
        mean_per_second=len(moves) / lasted,
        gaps=_gaps(workload, since, until),
        posts_repeated=workload.refused_posts,
        killed=sum(pod.was_killed for pod in release.managed),
        forced=_forced(release),
        hook_failures=[failure for pod in release.managed for failure in pod.hook_failures],
    )


def _moves(workload: Workload, since: float) -> list[float]:
    """When each connection after the first of its reader had joined."""
    joined: dict[tuple[str, int], float] = {}
    for reader in workload.history.readers:
        for join in reader.joins:
            if join.at >= since:
                joined.setdefault((reader.name, join.link), join.at)
    return sorted(joined.values())


def _gaps(workload: Workload, since: float, until: float) -> list[float]:
    sent_at = {
        message_id: at
        for message_id, at in workload.history.acknowledged_at().items()
        if since <= at <= until
    }
    gaps = []
    for reader in workload.history.readers:
        outages = (one.ended - one.began for one in reader.outages if since <= one.began <= until)
        first: dict[str, float] = {}
        for item in reader.sightings:
            if item.event == "message:new" and item.message_id in sent_at:
                first.setdefault(item.message_id, item.at - sent_at[item.message_id])
        gaps.append(max([0.0, *outages, *first.values()]))
    return gaps


def _forced(release: Release) -> int:
    """Connections that were still open at the end of a drain, as the pods say themselves."""
    return sum(
        line["forced"]
        for pod in release.managed
        for line in pod.pod.log_lines()
        if line.get("event") == "drained"
    )
