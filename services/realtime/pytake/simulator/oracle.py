"""Knows what truly happened, and judges what others have made of it.

Three witnesses are compared: what was sent and confirmed here, what the platform's REST API
tells, and the events that connected clients saw. Nothing is assumed about how the platform
works inside.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytake.simulator.world import Customer, Sent

RANK = {"pending": 0, "sent": 1, "failed": 2, "delivered": 3, "read": 4}


@dataclass(slots=True)
class Written:
    """A message of a customer. `posts` and `confirmations` are places on one common line."""

    customer: Customer
    message: dict[str, Any]
    is_echo: bool = False
    first_post: int | None = None
    first_confirmation: int | None = None


@dataclass(slots=True)
class Verdict:
    """How many promises were broken, with the first examples of each kind."""

    judged: int = 0
    missing: int = 0
    duplicate: int = 0
    misordered: int = 0
    went_back: int = 0
    wrong_status: int = 0
    wrong_content: int = 0
    examples: list[str] = field(default_factory=list)

    @property
    def is_clean(self) -> bool:
        return not (
            self.missing
            or self.duplicate
            or self.misordered
            or self.went_back
            or self.wrong_status
            or self.wrong_content
        )

    def found(self, kind: str, example: str) -> None:
        setattr(self, kind, getattr(self, kind) + 1)
        if len(self.examples) < 20:
            self.examples.append(f"{kind}: {example}")

    def counts(self) -> dict[str, int]:
        names = "judged missing duplicate misordered went_back wrong_status wrong_content"
        return {name: getattr(self, name) for name in names.split()}


class Oracle:
    """The ground truth of one run."""

    def __init__(self) -> None:
        self.written: dict[str, Written] = {}
        self.sent: dict[str, list[Sent]] = {}
        self._lost_answers: set[str] = set()
        self._line = 0

    # --- told by the simulator -----------------------------------------------------------

    def wrote(self, customer: Customer, message: dict[str, Any]) -> None:
        self.written[message["id"]] = Written(customer, message)

    def echoed(self, customer: Customer, message: dict[str, Any]) -> None:
        self.written[message["id"]] = Written(customer, message, is_echo=True)

    def posted(self, message_id: str) -> None:
        self._line += 1
        written = self.written[message_id]
        if written.first_post is None:
            written.first_post = self._line

    def confirmed(self, message_id: str) -> None:
        self._line += 1
        written = self.written[message_id]
        if written.first_confirmation is None:
            written.first_confirmation = self._line

    def accepted(self, sent: Sent) -> None:
        self.sent.setdefault(sent.callback_data or sent.id, []).append(sent)

    def answer_lost(self, sent: Sent) -> None:
        self._lost_answers.add(sent.callback_data or sent.id)

    def times_accepted(self, callback_data: str) -> int:
        return len(self.sent.get(callback_data, ()))

    # --- asked by the test ---------------------------------------------------------------

    def counts(self) -> dict[str, int]:
        """Return how much happened; the same seed gives the same figures."""
        return {
            "written": sum(not w.is_echo for w in self.written.values()),
            "echoes": sum(w.is_echo for w in self.written.values()),
            "accepted": sum(len(copies) for copies in self.sent.values()),
            "accepted_twice": sum(len(copies) > 1 for copies in self.sent.values()),
            "statuses": sum(len(set(s.statuses)) for copies in self.sent.values() for s in copies),
        }

    def fingerprint(self) -> str:
        """Return a name for all that happened, the same for two runs of the same seed.

        Times are no part of it, nor how often something was delivered again.
        """
        lines = [
            f"{message_id} {written.is_echo} {written.message.get('text', {}).get('body')}"
            for message_id, written in self.written.items()
        ]
        lines += [
            f"{sent.id} {sent.body.get('text', {}).get('body')} {sorted(set(sent.statuses))}"
            for copies in self.sent.values()
            for sent in copies
        ]
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]

    def judge(
        self,
        messages: Iterable[Mapping[str, Any]],
        seen: Mapping[str, Sequence[tuple[str, Mapping[str, Any]]]] | None = None,
        *,
        asked: Mapping[str, str] | None = None,
    ) -> Verdict:
        """Compare the truth with what the platform has.

        Args:
            messages: Every `Message` of the REST API, each conversation in `seq` order.
            seen: By client, the (event, data) pairs in the order in which they came.
            asked: Messages that agents wrote and were answered 201: id → text.
        """
        verdict = Verdict()
        stored = list(messages)
        self._judge_inbound(verdict, stored)
        self._judge_outbound(verdict, stored, asked or {})
        for client, events in (seen or {}).items():
            _judge_client(verdict, client, events, stored)
        return verdict

    def _judge_inbound(self, verdict: Verdict, stored: list[Mapping[str, Any]]) -> None:
        copies = Counter(m["whatsapp_message_id"] for m in stored if m["whatsapp_message_id"])
        by_id = {m["whatsapp_message_id"]: m for m in stored if m["whatsapp_message_id"]}
        conversations: dict[str, set[str]] = {}
        for message_id, written in self.written.items():
            verdict.judged += 1
            if written.first_confirmation is None:
                verdict.found("missing", f"{message_id} was never taken")
                continue
            if copies[message_id] == 0:
                verdict.found("missing", message_id)
                continue
            if copies[message_id] > 1:
                verdict.found("duplicate", message_id)
            message = by_id[message_id]
            conversations.setdefault(written.customer.user_id, set()).add(
                message["conversation_id"]
            )
            text = written.message.get("text", {}).get("body")
            if text is not None and message["content"].get("text") != text:
                verdict.found("wrong_content", message_id)
            if (message["direction"] == "outbound") != written.is_echo:
                verdict.found("wrong_content", f"{message_id} has the wrong direction")
        for user_id, ids in conversations.items():
            if len(ids) > 1:
                verdict.found("duplicate", f"{len(ids)} conversations of {user_id}")
        self._judge_order(verdict, stored)

    def _judge_order(self, verdict: Verdict, stored: list[Mapping[str, Any]]) -> None:
        """What was confirmed before another message was first posted must come before it."""
        conversations: dict[str, list[Written]] = {}
        for message in stored:
            written = self.written.get(message["whatsapp_message_id"] or "")
            if written is not None:
                conversations.setdefault(message["conversation_id"], []).append(written)
        for conversation_id, row in conversations.items():
            latest_post = 0
            for written in row:
                if written.first_confirmation is None or written.first_post is None:
                    continue
                if written.first_confirmation < latest_post:
                    verdict.found("misordered", f"{conversation_id}: {written.message['id']}")
                latest_post = max(latest_post, written.first_post)

    def _judge_outbound(
        self, verdict: Verdict, stored: list[Mapping[str, Any]], asked: Mapping[str, str]
    ) -> None:
        by_id = {message["id"]: message for message in stored}
        for message_id, text in asked.items():
            verdict.judged += 1
            message = by_id.get(message_id)
            if message is None:
                verdict.found("missing", f"agent's {message_id}")
            elif message["content"].get("text") != text:
                verdict.found("wrong_content", message_id)
            else:
                self._judge_status(verdict, message)

    def _judge_status(self, verdict: Verdict, message: Mapping[str, Any]) -> None:
        copies = self.sent.get(message["id"], [])
        is_unconfirmed = (message.get("error") or {}).get("code") == "unconfirmed"
        if not copies and message["status"] == "pending" and not is_unconfirmed:
            verdict.found("missing", f"{message['id']} never went out")
        if len(copies) > 1 and message["id"] not in self._lost_answers:
            verdict.found("duplicate", f"{message['id']} went out {len(copies)} times")
        reported = [status for sent in copies for status in sent.statuses]
        expected = max(reported, key=RANK.__getitem__, default="pending")
        has = message["status"]
        # A refusal, and a number of retries used up, fail a message without any status.
        if has != expected and not (not reported and has == "failed"):
            verdict.found("wrong_status", f"{message['id']} is {has}, was reported {expected}")
        order = [sent.body.get("text", {}).get("body") for sent in copies]
        if any(text != message["content"].get("text") for text in order):
            verdict.found("wrong_content", f"{message['id']} went out changed")


def _judge_client(
    verdict: Verdict,
    client: str,
    events: Sequence[tuple[str, Mapping[str, Any]]],
    stored: list[Mapping[str, Any]],
) -> None:
    """Each conversation's events in `seq` order, once, without holes, no status going back."""
    heads: dict[str, int] = {}
    ranks: dict[str, int] = {}
    shown: set[str] = set()
    for name, data in events:
        conversation = data["conversation_id"]
        first, last = data.get("first_seq", data.get("seq")), data.get("last_seq", data.get("seq"))
        if first is None or last is None:
            continue
        head = heads.get(conversation)
        if head is not None and first <= head:
            verdict.found("duplicate", f"{client}: {conversation} {first} after {head}")
        if head is not None and first > head + 1:
            verdict.found("missing", f"{client}: {conversation} {head} then {first}")
        heads[conversation] = max(head or 0, last)
        if name == "message:new":
            if data["id"] in shown:
                verdict.found("duplicate", f"{client}: {data['id']}")
            shown.add(data["id"])
        for update in data.get("updates", [data] if name == "message:status" else []):
            rank = RANK[update["status"]]
            if rank < ranks.get(update["message_id"], 0):
                verdict.found("went_back", f"{client}: {update['message_id']}")
            ranks[update["message_id"]] = rank
    joined = set(heads)
    for message in stored:
        if message["conversation_id"] in joined and message["id"] not in shown:
            verdict.found("missing", f"{client} never saw {message['id']}")
