"""What the feed loses, the store gives back: in order, without a hole, without a repeat."""

from __future__ import annotations

import asyncio
import uuid
from typing import Any

import aiohttp
import pytest

from cluster.waiting import eventually
from integration.gateway.pods import Cluster, Pod, user_id
from pytake.domain.errors import ErrorCode, Unavailable
from pytake.domain.status import MessageStatus
from pytake.gateway import heads, resync, tasks
from pytake.gateway.pod import Options

pytestmark = pytest.mark.integration


@pytest.fixture
async def pod(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Pod:
    """A pod that compares heads often, so that tests need not wait for 5 s."""
    monkeypatch.setattr(heads, "COMPARE_SECONDS", 0.2)
    monkeypatch.setattr(heads, "LOST_AFTER_SECONDS", 0.1)
    monkeypatch.setattr(resync, "SPREAD_SECONDS", 0.2)
    return await cluster.pod()


async def test_a_lost_event_is_read_from_the_store_before_a_later_one_goes_out(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod)
    await ana.join(conversation)

    lost = [(await cluster.store_text(conversation)).events[-1].seq for _ in range(3)]
    seen = (await cluster.write(conversation)).events[-1].seq

    await ana.until(lambda: seen in ana.seqs(), "the event behind the hole")
    assert ana.seqs() == [*lost, seen]


async def test_a_lost_last_event_is_found_without_traffic(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod)
    await ana.join(conversation)

    lost = (await cluster.store_text(conversation)).events[-1].seq

    await ana.until(lambda: ana.seqs() == [lost], "the lost last event")
    assert pod.gateway.rooms.heads_healed == 1


async def test_messages_flow_through_the_store_while_the_feed_is_deaf(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod)
    await ana.join(conversation)
    pod.feed.is_deaf = True

    seqs = [(await cluster.write(conversation)).events[-1].seq for _ in range(300)]

    await ana.until(lambda: len(ana.seqs()) == 300, "all messages", 15)
    assert ana.seqs() == seqs


async def test_events_that_come_twice_or_out_of_order_go_out_once_in_order(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod)
    await ana.join(conversation)

    events = [(await cluster.store_text(conversation)).events[-1] for _ in range(10)]
    await cluster.broker.publish([*reversed(events), *events])

    await ana.until(lambda: len(ana.seqs()) == 10, "all events")
    assert ana.seqs() == [event.seq for event in events]


async def test_an_interrupted_feed_is_followed_by_a_comparison_and_a_resync(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    ana = await connect(pod)
    await ana.join(conversation)
    lost = (await cluster.store_text(conversation)).events[-1].seq

    await pod.feed.interrupt()

    assert await ana.next("resync") == {"scope": "inbox"}
    await ana.until(lambda: ana.seqs() == [lost], "the lost event")


def no_link(media_id: str) -> str:
    raise KeyError(media_id)


async def test_an_event_that_cannot_be_delivered_is_passed_over_whatever_its_source(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod(link=no_link)
    conversation = await cluster.conversation()
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    head = (await ana.join(conversation))["seq"]

    bad = [await cluster.write(conversation, media_id=str(uuid.uuid4()))]
    bad.append(await cluster.store_text(conversation, media_id=str(uuid.uuid4())))
    from_the_store = await cluster.store_text(conversation)
    published = await cluster.write(conversation)
    good = [each.events[-1].seq for each in (from_the_store, published)]
    await ana.until(lambda: good[-1] in ana.seqs(), "what was published after it")
    await bruno.join(conversation, last_seq=head)
    good.append((await cluster.write(conversation)).events[-1].seq)

    for client in (ana, bruno):
        await client.until(lambda client=client: good[-1] in client.seqs(), "the last one")
        assert client.seqs() == good
    # Each of the two was tried for Ana and for Bruno.
    assert pod.gateway.metrics.unhandled_errors.value("task") == 4


class StoreOnAndOff:
    """The event log of a store that can be away, and has bugs that show once."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.is_away = False
        self.new_epoch: str | None = None
        self.bugs: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        if name in self.bugs:
            self.bugs.remove(name)
            raise KeyError(name)
        if self.is_away:
            raise Unavailable(detail="switched off")
        return getattr(self._log, name)

    async def epoch(self) -> Any:
        return self.new_epoch or await self.__getattr__("epoch")()

    async def access(self, *arguments: Any) -> Any:
        return await self.__getattr__("access")(*arguments)

    async def heads(self, *arguments: Any) -> Any:
        return await self.__getattr__("heads")(*arguments)

    async def replay(self, *arguments: Any) -> Any:
        return await self.__getattr__("replay")(*arguments)

    async def oldest_kept(self, *arguments: Any) -> Any:
        return await self.__getattr__("oldest_kept")(*arguments)


async def test_while_the_store_is_away_joins_are_refused_and_live_events_flow(
    cluster: Cluster, connect: Any
) -> None:
    log = StoreOnAndOff(cluster.store.event_log)
    pod = await cluster.pod(event_log=log)
    conversation = await cluster.conversation()
    other = await cluster.conversation("+5511900000002")
    ana = await connect(pod)
    await ana.join(conversation)

    log.is_away = True
    answer = await ana.call("join_conversation", {"conversation_id": other})
    seq = (await cluster.write(conversation)).events[-1].seq

    assert answer["error"]["code"] == "unavailable"
    assert answer["error"]["retryable"] is True
    await ana.until(lambda: ana.seqs() == [seq], "the live event")
    log.is_away = False
    await ana.join(other)


async def test_a_join_again_that_is_refused_leaves_the_member_where_he_was(
    cluster: Cluster, connect: Any
) -> None:
    log = StoreOnAndOff(cluster.store.event_log)
    pod = await cluster.pod(event_log=log)
    conversation = await cluster.conversation()
    await cluster.write(conversation, "before the room was open")
    ana = await connect(pod)
    await ana.join(conversation)

    log.bugs.add("oldest_kept")
    again = {"conversation_id": conversation, "last_seq": 0}
    refused = await ana.call("join_conversation", again)
    seq = (await cluster.write(conversation, "after the refusal")).events[-1].seq

    assert refused["error"]["code"] == "unavailable"
    await ana.until(lambda: ana.seqs() == [seq], "the message")


class SlowHeads(StoreOnAndOff):
    """A store that is asked for heads, and fails only after a while."""

    def __init__(self, log: Any) -> None:
        super().__init__(log)
        self.asked, self.fails = asyncio.Event(), asyncio.Event()
        self.is_slow = False

    async def heads(self, *arguments: Any) -> Any:
        if not self.is_slow:
            return await super().heads(*arguments)
        self.asked.set()
        await self.fails.wait()
        raise Unavailable(detail="in the end")


async def test_who_is_ended_while_he_joins_is_no_viewer(cluster: Cluster, connect: Any) -> None:
    log = SlowHeads(cluster.store.event_log)
    pod = await cluster.pod(event_log=log)
    warm, cold = [await cluster.conversation(f"+551190000000{n}") for n in range(2)]
    ana, bruno = await connect(pod, "ana"), await connect(pod, "bruno")
    await bruno.join(warm)
    log.is_slow = True
    both = {"conversations": [{"conversation_id": each} for each in (warm, cold)]}
    await ana.send("join_conversations", both)
    await log.asked.wait()

    pod.gateway.registry.end(ana.sid, ErrorCode.SUPERSEDED)
    log.fails.set()
    await ana.wait_closed()
    log.is_slow = False
    rui = await connect(pod, "rui")
    await rui.join(warm)

    viewers = (await rui.next("presence:update"))["viewers"]
    assert sorted(each["name"] for each in viewers) == ["bruno", "rui"]


async def test_loops_that_fail_as_nobody_expected_begin_anew(
    cluster: Cluster, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "AGAIN_SECONDS", 0.1)
    monkeypatch.setattr(heads, "COMPARE_SECONDS", 0.2)
    monkeypatch.setattr(heads, "LOST_AFTER_SECONDS", 0.1)
    log = StoreOnAndOff(cluster.store.event_log)
    pod = await cluster.pod(event_log=log)
    conversation = await cluster.conversation()
    ana = await connect(pod)
    await ana.join(conversation)

    seqs = []
    for question, act in (
        ("replay", lambda: cluster.write(conversation, "behind a hole")),
        ("access", lambda: cluster.assign(conversation, "ana")),
        ("heads", lambda: cluster.store_text(conversation, "lost, and the last")),
    ):
        if question == "replay":
            seqs.append((await cluster.store_text(conversation, "lost")).events[-1].seq)
        log.bugs.add(question)
        seqs.append((await act()).events[-1].seq)
        await ana.until(lambda: seqs[-1] in ana.seqs(), f"what {question} is asked for")
        assert not log.bugs

    assert ana.seqs() == seqs
    assert pod.gateway.metrics.unhandled_errors.value("task") == 3


async def test_statuses_come_in_batches_to_who_asked_for_them_and_before_later_messages(
    pod: Pod, cluster: Cluster, connect: Any
) -> None:
    conversation = await cluster.conversation()
    batching = await connect(pod, "ana", features=("status_batch",))
    plain = await connect(pod, "bruno")
    for client in (batching, plain):
        await client.join(conversation)
    messages = [(await cluster.write(conversation)).message for _ in range(5)]

    for status in (MessageStatus.SENT, MessageStatus.DELIVERED):
        for message in messages:
            assert message is not None
            await cluster.report(message.id, status)
    last = (await cluster.write(conversation)).events[-1].seq

    for client in (batching, plain):
        await client.until(lambda client=client: last in client.seqs(), "the last message")
    assert batching.seqs() == plain.seqs()
    assert plain.all("message:status_batch") == []
    assert len(plain.all("message:status")) == 10
    batches = batching.all("message:status_batch")
    assert batches
    for batch in batches:
        seqs = [update["seq"] for update in batch["updates"]]
        assert seqs == list(range(batch["first_seq"], batch["last_seq"] + 1))


async def test_a_stalled_reader_is_closed_and_resumes_where_it_was(
    cluster: Cluster, connect: Any
) -> None:
    pod = await cluster.pod(Options(send_buffer_bytes=65_536))
    conversation = await cluster.conversation()
    healthy = await connect(pod, "bruno")
    await healthy.join(conversation)
    async with aiohttp.ClientSession() as session:
        url = f"{pod.url}/socket.io/?EIO=4&transport=websocket"
        socket = await session.ws_connect(url, max_msg_size=0)
        await socket.receive()
        await socket.send_str('40{"token":"' + cluster.token("ana") + '"}')
        await socket.send_str('42["join_conversation",{"conversation_id":"' + conversation + '"}]')
        await eventually(
            lambda: any(
                connection.joined for connection in pod.gateway.registry.of_user(user_id("ana"))
            ),
            "ana has joined",
        )
        socket._reader._protocol.transport.pause_reading()  # type: ignore[union-attr]
        text = "x" * 4000
        seqs: list[int] = []
        for _ in range(40):
            for _ in range(40):
                seqs.append((await cluster.write(conversation, text)).events[-1].seq)
            if not pod.gateway.registry.of_user(user_id("ana")):
                break
        await eventually(
            lambda: not pod.gateway.registry.of_user(user_id("ana")), "the stalled one is closed"
        )

    assert pod.gateway.registry.closed_by_code["slow_consumer"] == 1
    await healthy.until(lambda: len(healthy.seqs()) == len(seqs), "the healthy one has all", 20)
    back = await connect(pod, "ana")
    await back.join(conversation, last_seq=seqs[0])
    await back.until(lambda: len(back.seqs()) == len(seqs) - 1, "all that was missed", 20)
    assert back.seqs() == seqs[1:]


async def test_a_restored_database_sends_clients_back_to_load_everything_anew(
    cluster: Cluster, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heads, "COMPARE_SECONDS", 0.2)
    log = StoreOnAndOff(cluster.store.event_log)
    pod = await cluster.pod(event_log=log)
    conversation = await cluster.conversation()
    ana = await connect(pod, reconnection=True)
    before = await ana.join(conversation)

    log.new_epoch = "after the restore"

    await ana.next("connected", 10, after=1)
    answer = await ana.join(conversation, last_seq=0, epoch=before["epoch"])
    assert answer["recovered"] is False
    assert answer["epoch"] == "after the restore"
