"""Compares what was promised with what was seen.

The rules are those of the contract: the log has no holes and no repeats; what was
acknowledged is in it once; a reader that drops what it has seen ends with every event once
and in order; a status never goes back; nobody sees what was committed while it was somebody
else's; a connection whose successor has joined is silent.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from statistics import quantiles
from typing import NamedTuple

from chaos.history import History, ReaderHistory, Sighting, StoredEvent

RANK = {"pending": 0, "sent": 1, "failed": 2, "delivered": 3, "read": 4}
FENCE_GRACE_SECONDS = 6.0
"""A draining pod may keep the old connection for 5 s after the new one has joined."""


class Delivery(NamedTuple):
    """A message on the screen of one reader, for the first time."""

    sent: float
    seen: float

    @property
    def seconds(self) -> float:
        """How long it took from the acknowledgement; 0 for who saw it before the writer."""
        return max(0.0, self.seen - self.sent)


@dataclass
class Report:
    """What one run amounts to. Violations are sentences; the counts are of deliveries."""

    sent: int = 0
    events: int = 0
    delivered: int = 0
    lost: int = 0
    duplicated: int = 0
    out_of_order: int = 0
    violations: list[str] = field(default_factory=list)
    deliveries: list[Delivery] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    marks: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    own_lag: float = 0.0
    """How long the readers themselves were asleep, at worst: latencies below it are theirs."""

    @property
    def is_clean(self) -> bool:
        return not self.violations

    @property
    def latencies(self) -> list[float]:
        return [delivery.seconds for delivery in self.deliveries]

    def percentile(self, figures: list[float], percent: int) -> float | None:
        """Return the percentile, or None when there is nothing to measure."""
        if len(figures) < 2:
            return figures[0] if figures else None
        return quantiles(figures, n=100, method="inclusive")[percent - 1]


def check(history: History) -> Report:
    """Return the report of a run whose truth has been read from the store."""
    sent = len(history.acknowledged) + len(history.written)
    report = Report(sent=sent, marks=history.marks, notes=history.notes)
    for conversation_id, log in history.truth.items():
        report.events += len(log)
        report.violations += _broken_log(conversation_id, log)
    report.violations += _lost_acknowledgements(history)
    sent_at = history.acknowledged_at()
    for reader in history.readers:
        _check_reader(reader, history, sent_at, report)
    return report


def _broken_log(conversation_id: str, log: list[StoredEvent]) -> Iterator[str]:
    for expected, row in enumerate(log, start=log[0].seq if log else 1):
        if row.seq != expected:
            yield f"log of {conversation_id}: {expected} is missing or repeated (found {row.seq})"
            return
    new = Counter(row.message_id for row in log if row.event == "message:new")
    for message_id, times in new.items():
        if times > 1:
            yield f"log of {conversation_id}: message {message_id} is announced {times} times"
    texts = Counter(row.text for row in log if row.text is not None)
    for text, times in texts.items():
        if times > 1:
            yield f"log of {conversation_id}: the message {text!r} is stored {times} times"


def _lost_acknowledgements(history: History) -> Iterator[str]:
    ids_by_key: dict[tuple[str, str], set[str]] = {}
    for item in history.acknowledged:
        key = (item.conversation_id, item.client_message_id)
        ids_by_key.setdefault(key, set()).add(item.message_id)
    for (room, client_message_id), ids in ids_by_key.items():
        if len(ids) > 1:
            yield f"{room}: {client_message_id} was stored as {len(ids)} messages"
    for conversation_id, items in history.sent_by_conversation().items():
        stored = {
            row.message_id
            for row in history.truth.get(conversation_id, [])
            if row.event == "message:new"
        }
        for item in items:
            if item.message_id not in stored:
                yield f"{conversation_id}: acknowledged {item.message_id} is not in the log"
    for conversation_id, text in history.written:
        if not any(row.text == text for row in history.truth.get(conversation_id, [])):
            yield f"{conversation_id}: the customer's {text!r} is not in the log"


def _check_reader(
    reader: ReaderHistory, history: History, sent_at: dict[str, float], report: Report
) -> None:
    for conversation_id in reader.conversations:
        log = history.truth.get(conversation_id, [])
        seen = [item for item in reader.sightings if item.conversation_id == conversation_id]
        _check_order(reader, conversation_id, seen, log, sent_at, report)
        _check_statuses(reader, conversation_id, seen, report)
        _check_access(reader, conversation_id, seen, history, report)
    _check_fence(reader, report)
    _check_inbox(reader, report)
    report.recoveries += [outage.ended - outage.began for outage in reader.outages]
    for error in reader.errors:
        if error == "forbidden" and reader.lost_access:
            continue  # the protocol's own word for a conversation that was taken away
        report.violations.append(f"{reader.name}: was shown the error {error}")


def _check_order(
    reader: ReaderHistory,
    conversation_id: str,
    seen: list[Sighting],
    log: list[StoredEvent],
    sent_at: dict[str, float],
    report: Report,
) -> None:
    """Play the client's rule over what arrived: drop what was seen, take the next, no holes."""
    cursor: int | None = None
    newest_of_link: dict[int, int] = {}
    messages: Counter[str] = Counter()
    for item in seen:
        if item.seq <= newest_of_link.get(item.link, -1):
            report.duplicated += 1
            report.violations.append(
                f"{reader.name}: {conversation_id} #{item.seq} came twice on one connection"
            )
        newest_of_link[item.link] = max(item.seq, newest_of_link.get(item.link, -1))
        if cursor is not None and item.seq <= cursor:
            continue
        if cursor is not None and item.first_seq > cursor + 1:
            report.out_of_order += 1
            report.violations.append(
                f"{reader.name}: {conversation_id} jumped from #{cursor} to #{item.first_seq}"
            )
        cursor = item.seq
        report.delivered += 1
        if item.event == "message:new" and item.message_id:
            messages[item.message_id] += 1
            if (sent := sent_at.get(item.message_id)) is not None:
                report.deliveries.append(Delivery(sent, item.at))
    for message_id, times in messages.items():
        if times > 1:
            report.duplicated += 1
            report.violations.append(f"{reader.name}: message {message_id} shown {times} times")
    _check_end(reader, conversation_id, cursor, seen, log, report)


def _check_end(
    reader: ReaderHistory,
    conversation_id: str,
    cursor: int | None,
    seen: list[Sighting],
    log: list[StoredEvent],
    report: Report,
) -> None:
    head = log[-1].seq if log else 0
    may_end_early = any(lost.conversation_id == conversation_id for lost in reader.lost_access)
    if not reader.reads_to_the_end or may_end_early:
        return
    joins = [join for join in reader.joins if join.conversation_id == conversation_id]
    if not joins:
        report.violations.append(f"{reader.name}: never joined {conversation_id}")
        return
    start = joins[0].cursor if joins[0].cursor is not None else joins[0].seq
    reached = cursor if cursor is not None else start
    if reached < head:
        report.lost += head - reached
        report.violations.append(
            f"{reader.name}: {conversation_id} ended at #{reached}, the log at #{head}"
        )
    if seen and seen[0].first_seq > start + 1:
        report.lost += seen[0].first_seq - start - 1
        report.violations.append(
            f"{reader.name}: {conversation_id} began at #{seen[0].first_seq}, joined at #{start}"
        )


def _check_statuses(
    reader: ReaderHistory, conversation_id: str, seen: list[Sighting], report: Report
) -> None:
    best: dict[str, int] = {}
    newest = -1
    for item in seen:
        if item.seq <= newest or item.status is None or item.message_id is None:
            continue
        newest = item.seq
        rank = RANK[item.status]
        if item.event != "message:new" and rank < best.get(item.message_id, 0):
            report.violations.append(
                f"{reader.name}: {item.message_id} went back to {item.status} "
                f"at {conversation_id} #{item.seq}"
            )
        best[item.message_id] = max(rank, best.get(item.message_id, 0))


def _check_access(
    reader: ReaderHistory,
    conversation_id: str,
    seen: list[Sighting],
    history: History,
    report: Report,
) -> None:
    """Nobody sees what was committed while the conversation was somebody else's.

    The log says whose it was at each event, so this holds for replays and late arrivals, too.
    """
    if conversation_id not in history.reassigned:
        if any(lost.conversation_id == conversation_id for lost in reader.lost_access):
            report.violations.append(f"{reader.name}: lost {conversation_id}, which nobody took")
        return
    owners = _owners(history.truth.get(conversation_id, []))
    for item in seen:
        owner = owners.get(item.seq)
        if owner is not None and owner != reader.user_id:
            report.violations.append(
                f"{reader.name}: saw {conversation_id} #{item.seq}, when it was {owner}'s"
            )


def _owners(log: list[StoredEvent]) -> dict[int, str | None]:
    """Return whose a conversation was when each event was committed; None is everybody's."""
    owner: str | None = None
    owners: dict[int, str | None] = {}
    for row in log:
        if row.event == "conversation:updated":
            owner = row.assigned_to
        owners[row.seq] = owner
    return owners


def _check_fence(reader: ReaderHistory, report: Report) -> None:
    for link in reader.outlived:
        report.violations.append(
            f"{reader.name}: connection {link} was left open after its successor had joined"
        )
    for item in reader.sightings:
        ended = reader.superseded.get(item.link)
        if ended is not None and item.at > ended + FENCE_GRACE_SECONDS:
            report.violations.append(
                f"{reader.name}: connection {item.link} went on "
                f"{item.at - ended:.1f} s after its successor had joined"
            )
            return


def _check_inbox(reader: ReaderHistory, report: Report) -> None:
    """The list that the reader kept is the one that it would load now."""
    if not reader.follows_list:
        return
    for conversation_id in sorted(reader.inbox.keys() | reader.may_see.keys()):
        shown, true = (
            f"with {rows[conversation_id]}" if conversation_id in rows else "not at all"
            for rows in (reader.inbox, reader.may_see)
        )
        if shown != true:
            report.violations.append(
                f"{reader.name}: the list shows {conversation_id} {shown}, REST {true}"
            )
