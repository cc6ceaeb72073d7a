"""The oracle finds what is wrong; a judge that always acquits would be worth nothing."""

from __future__ import annotations

from typing import Any

from pytake.simulator.oracle import Oracle
from pytake.simulator.world import Customer, Sent

CLARA = Customer("5511987654321", "Clara", "5511987654321", "BR.1")


def told(*texts: str) -> Oracle:
    """An oracle that heard these messages, each confirmed before the next was posted."""
    oracle = Oracle()
    for text in texts:
        oracle.wrote(CLARA, {"id": text, "type": "text", "text": {"body": text}})
        oracle.posted(text)
        oracle.confirmed(text)
    return oracle


def stored(*texts: str, conversation: str = "c1") -> list[dict[str, Any]]:
    return [
        {
            "id": f"id-{text}",
            "conversation_id": conversation,
            "seq": seq,
            "direction": "inbound",
            "status": "delivered",
            "whatsapp_message_id": text,
            "content": {"text": text},
        }
        for seq, text in enumerate(texts, 1)
    ]


def test_all_is_well_when_all_is_well() -> None:
    assert told("a", "b").judge(stored("a", "b")).is_clean


def test_a_lost_message_is_missing() -> None:
    assert told("a", "b").judge(stored("a")).missing == 1


def test_a_message_stored_twice_is_a_duplicate() -> None:
    assert told("a").judge(stored("a", "a")).duplicate == 1


def test_a_customer_with_two_conversations_is_a_duplicate() -> None:
    messages = stored("a") + stored("b", conversation="c2")

    assert told("a", "b").judge(messages).duplicate == 1


def test_a_message_before_one_that_was_confirmed_earlier_is_misordered() -> None:
    assert told("a", "b").judge(stored("b", "a")).misordered == 1


def test_changed_words_are_found() -> None:
    messages = stored("a")
    messages[0]["content"] = {"text": "b"}

    assert told("a").judge(messages).wrong_content == 1


def sent_oracle(*statuses: str) -> Oracle:
    oracle = Oracle()
    body = {"text": {"body": "olá"}}
    oracle.accepted(Sent("w", CLARA, "1", body, 0.0, "m1", list(statuses)))
    return oracle


def ours(status: str) -> list[dict[str, Any]]:
    (message,) = stored("x")
    return [message | {"id": "m1", "whatsapp_message_id": "w", "status": status,
                       "direction": "outbound", "content": {"text": "olá"}}]  # fmt: skip


def test_a_status_behind_what_was_reported_is_wrong() -> None:
    oracle = sent_oracle("sent", "read", "delivered")

    assert oracle.judge(ours("read"), asked={"m1": "olá"}).is_clean
    assert oracle.judge(ours("delivered"), asked={"m1": "olá"}).wrong_status == 1


def test_a_message_that_went_out_twice_without_need_is_a_duplicate() -> None:
    oracle = sent_oracle("sent")
    oracle.accepted(Sent("w2", CLARA, "1", {"text": {"body": "olá"}}, 0.0, "m1", []))

    assert oracle.judge(ours("sent"), asked={"m1": "olá"}).duplicate == 1


def test_what_a_client_saw_must_be_whole_in_order_and_never_go_back() -> None:
    def seen(*events: tuple[str, int, str]) -> dict[str, list[tuple[str, dict[str, Any]]]]:
        return {
            "ana": [
                (name, {"conversation_id": "c1", "seq": seq, "id": "id-a",
                        "message_id": "m", "status": status})
                for name, seq, status in events
            ]
        }  # fmt: skip

    oracle, messages = told("a"), stored("a")
    new, status = "message:new", "message:status"

    good = seen((new, 1, "sent"), (status, 2, "sent"), (status, 3, "read"))
    hole = seen((new, 1, "sent"), (status, 3, "read"))
    twice = seen((new, 1, "sent"), (status, 2, "sent"), (status, 2, "sent"))
    back = seen((new, 1, "sent"), (status, 2, "read"), (status, 3, "sent"))

    assert oracle.judge(messages, good).is_clean
    assert oracle.judge(messages, hole).missing == 1
    assert oracle.judge(messages, twice).duplicate == 1
    assert oracle.judge(messages, back).went_back == 1
