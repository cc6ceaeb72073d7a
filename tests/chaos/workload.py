"""A working cluster under load: conversations, readers that follow them, writers that post."""

from __future__ import annotations

import asyncio
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar
from uuid import uuid4

import aiohttp

from chaos.customers import Customers
from chaos.history import Acknowledged, History, StoredEvent
from chaos.reader import Reader
from cluster.cluster import ORGANIZATION, Cluster
from cluster.waiting import eventually, scaled

Value = TypeVar("Value")

REQUEST_SECONDS = 5.0
ASK_AGAIN_SECONDS = 0.2
PAGE = 500
AT_REST_SECONDS = 3.0
CUSTOMERS_SHARE = 0.4
"""Part of the messages that customers write, where there are customers."""
FILLER = "cheio de espera "
REPEATED_POSTS = 0.02
"""Part of the messages that are posted once more, as a client does that lost the answer."""


@dataclass(frozen=True)
class Load:
    """How much is going on while things break."""

    conversations: int = 20
    readers: int = 60
    joined_by_each: int = 10
    messages_per_second: float = 50
    features: tuple[str, ...] = ()
    text_bytes: int = 0
    """Each text is filled up to this length; 0 leaves it at its number."""
    organizations: int = 1
    """Among which agents and conversations are divided: lists are told to whole organizations."""


@dataclass
class Workload:
    """Readers and writers on one cluster; their history is what the checker reads."""

    cluster: Cluster
    load: Load
    dice: random.Random
    customers: Customers | None = None
    url: str = ""
    history: History = field(default_factory=History)
    readers: list[Reader] = field(default_factory=list)
    conversations: list[str] = field(default_factory=list)
    refused_posts: int = 0
    """Answers that were errors. A connection that broke under a request is none: it is repeated."""
    last_refusal: str = ""
    unanswered: dict[str, str] = field(default_factory=dict)
    """Messages that were posted and not acknowledged yet, and what came instead."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _headers: dict[str, dict[str, str]] = field(default_factory=dict)
    """By conversation: who writes there."""
    _phones: dict[str, str] = field(default_factory=dict)
    _sessions: list[aiohttp.ClientSession] = field(default_factory=list)
    _user_ids: dict[str, str] = field(default_factory=dict)
    _writing: bool = True

    async def __aenter__(self) -> Workload:
        self.url = self.url or self.cluster.url
        self.tls: ssl.SSLContext = self.cluster.tls()
        self.session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=self.tls),
            # A shared jar would hold the affinity cookie of the first, and send all to one pod.
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=REQUEST_SECONDS),
        )
        self.headers = {"Authorization": f"Bearer {self._token('writer', role='bot')()}"}
        await self._open_conversations()
        groups = self.load.organizations
        for number in range(self.load.readers):
            visible = self.conversations[number % groups :: groups]
            joined = self.dice.sample(visible, min(self.load.joined_by_each, len(visible)))
            organization = self._organization(number)
            self.add_reader(f"reader-{number}", tuple(joined), organization=organization)
        return self

    async def _open_conversations(self) -> None:
        if self.customers is not None:
            await self.customers.arrive(self.session, self.load.conversations)
            await eventually(self._all_customers_are_here, "a conversation of each customer", 30)
            await self.customers.misbehave(self.session)
            return
        for number in range(self.load.conversations):
            organization = self._organization(number)
            admin = self.cluster.token("admin", role="admin", organization=organization)
            created = await asyncio.to_thread(
                self.cluster.create_conversation, f"Cliente {number}", token=admin
            )
            self.conversations.append(created["id"])
            bot = self._token("writer", role="bot", organization=organization)()
            self._headers[created["id"]] = {"Authorization": f"Bearer {bot}"}

    def _organization(self, number: int) -> str:
        if self.customers is not None:
            return self.customers.organization
        group = number % self.load.organizations
        return ORGANIZATION if group == 0 else f"{ORGANIZATION}-{group}"

    def _headers_for(self, conversation_id: str) -> dict[str, str]:
        return self._headers.get(conversation_id, self.headers)

    async def _all_customers_are_here(self) -> bool:
        rows = await self._rows(self.headers)
        self._phones = {row["id"]: row["contact"]["phone"].lstrip("+") for row in rows}
        self.conversations = sorted(self._phones, key=self._phones.__getitem__)
        return len(self.conversations) == self.load.conversations

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(reader.stop() for reader in self.readers))
        for session in (self.session, *self._sessions):
            await session.close()

    def keep(self, session: aiohttp.ClientSession) -> aiohttp.ClientSession:
        """Close the session once all readers have stopped."""
        self._sessions.append(session)
        return session

    def missing(self) -> Iterator[str]:
        """Say what keeps the run from going on: posts without an answer, readers that lack."""
        for key, last in self.unanswered.items():
            yield f"message {key} is not acknowledged; the last answer: {last}"
        for reader in self._reading():
            if not reader.is_whole:
                yield str(reader)
        yield from self._behind()

    def mark(self, moment: str) -> None:
        """Remember a moment of the story, for the promises that are about it."""
        self.history.marks[moment] = time.monotonic()

    def _token(
        self, user: str, *, role: str = "agent", organization: str = ""
    ) -> Callable[[], str]:
        organization = organization or self._organization(0)
        token = self.cluster.token(
            user, role=role, organization=organization, lifetime_seconds=3600
        )
        return lambda: token

    def add_reader(
        self,
        name: str,
        conversations: tuple[str, ...],
        *,
        url: str = "",
        organization: str = "",
        session: aiohttp.ClientSession | None = None,
    ) -> Reader:
        """Start one more reader; its history is part of the run."""
        reader = Reader(
            name,
            url or self.url,
            conversations,
            token=self._token(name, organization=organization),
            session=session or self.session,
            tls=self.tls,
            dice=random.Random(self.dice.random()),
            features=self.load.features,
        )
        self.readers.append(reader)
        self.history.readers.append(reader.history)
        reader.start()
        return reader

    def _reading(self) -> list[Reader]:
        return [reader for reader in self.readers if reader.history.reads_to_the_end]

    async def all_whole(self) -> None:
        """Wait until every reader that reads has caught up with all its conversations."""
        await asyncio.gather(*(reader.whole() for reader in self._reading()))

    # --- writing ---------------------------------------------------------------------------

    def start_writing(self) -> None:
        """Post at the load's rate, from as many writers as the rate needs."""
        writers = max(1, round(self.load.messages_per_second / 5))
        pause = writers / self.load.messages_per_second
        for number in range(writers):
            self._tasks.append(asyncio.create_task(self._write(number, pause)))

    async def stop_writing(self) -> None:
        """Let every writer finish the message it is about, however long the API is away."""
        self._writing = False
        await asyncio.gather(*self._tasks)
        self._tasks.clear()

    async def _write(self, writer: int, pause: float) -> None:
        await asyncio.sleep(self.dice.random() * pause)
        count = 0
        while self._writing:
            began = time.monotonic()
            count += 1
            await self._write_one(f"{writer}/{count}")
            await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)))

    async def _write_one(self, text: str) -> None:
        conversation_id, key = self.dice.choice(self.conversations), str(uuid4())
        if self.customers is not None and self.dice.random() < CUSTOMERS_SHARE:
            await self.customers.write(self.session, self._phones[conversation_id], text)
            self.history.written.append((conversation_id, text))
            return
        await self.post(conversation_id, text, key)
        if self.dice.random() < REPEATED_POSTS:
            await self.post(conversation_id, text, key)

    async def post(self, conversation_id: str, text: str, client_message_id: str) -> None:
        """Post one message and repeat it with the same id until it is acknowledged."""
        body = {
            "message_type": "text",
            "content": {"text": self._filled(text)},
            "client_message_id": client_message_id,
        }
        address = f"{self.url}/api/v1/conversations/{conversation_id}/messages"
        self.unanswered[client_message_id] = "none yet"
        headers = self._headers_for(conversation_id)
        while (message := await self._try_to_post(address, body, headers)) is None:
            self.unanswered[client_message_id] = self.last_refusal
            await asyncio.sleep(0.05 + self.dice.random() * 0.2)
        del self.unanswered[client_message_id]
        self.history.acknowledged.append(
            Acknowledged(time.monotonic(), conversation_id, client_message_id, message["id"])
        )

    async def _try_to_post(
        self, address: str, body: dict[str, Any], headers: dict[str, str]
    ) -> dict[str, Any] | None:
        try:
            async with self.session.post(address, json=body, headers=headers) as answer:
                if answer.status in (200, 201):
                    message: dict[str, Any] = await answer.json()
                    return message
                self.last_refusal = f"{answer.status}: {(await answer.text())[:200]}"
                self.refused_posts += 1
                if answer.status < 500 and answer.status != 429:
                    raise AssertionError(self.last_refusal)
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            self.last_refusal = repr(error)
        return None

    def _filled(self, text: str) -> str:
        lacks = self.load.text_bytes - len(text)
        return text if lacks <= 0 else (text + " " + FILLER * (lacks // len(FILLER) + 1))[:-1]

    # --- lists and rights ------------------------------------------------------------------

    async def assign(self, conversation_id: str, name: str | None) -> None:
        """Give a conversation to a reader's user, or to nobody, as an admin does."""
        self.history.reassigned.add(conversation_id)
        user_id = None if name is None else await self._user_id(name)
        await self._ask_until_answered(self._patch, conversation_id, {"assigned_to": user_id})

    async def _patch(self, conversation_id: str, body: dict[str, Any]) -> None:
        address = f"{self.url}/api/v1/conversations/{conversation_id}"
        async with self.session.patch(address, json=body, headers=self.headers) as answer:
            answer.raise_for_status()

    async def _user_id(self, name: str) -> str:
        async def load() -> dict[str, str]:
            address = f"{self.url}/api/v1/users"
            async with self.session.get(address, headers=self.headers) as answer:
                answer.raise_for_status()
                items = (await answer.json())["items"]
            return {item["name"]: item["id"] for item in items}

        if not self._user_ids:
            self._user_ids.update(await self._ask_until_answered(load))
        return self._user_ids[name.capitalize()]

    def follow_list(self, reader: Reader) -> None:
        """Let a reader keep its inbox list as a page does; the checker compares it at the end."""
        reader.follow_list(lambda: self.assignees(reader.token()))

    async def assignees(self, token: str) -> dict[str, str | None]:
        """Return who has which conversation, as the list of this user shows it."""
        rows = await self._rows({"Authorization": f"Bearer {token}"})
        return {row["id"]: row["assigned_to"] for row in rows}

    async def _rows(self, headers: dict[str, str]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        asked = {"limit": "100"}
        address = f"{self.url}/api/v1/conversations"
        while True:
            async with self.session.get(address, params=asked, headers=headers) as answer:
                answer.raise_for_status()
                page = await answer.json()
            found += page["items"]
            if page["next_cursor"] is None:
                return found
            asked["cursor"] = page["next_cursor"]

    # --- the truth -------------------------------------------------------------------------

    async def read_the_truth(self) -> None:
        """Read the logs and the assignees from the store, however long it is away."""
        history = self.history
        await self._at_rest()
        for conversation_id in self.conversations:
            log = await self._ask_until_answered(self._log_of, conversation_id)
            history.truth[conversation_id] = log
        for reader in self.readers:
            if reader.follows_list:
                shown = await self._ask_until_answered(self.assignees, reader.token())
                reader.history.may_see = shown

    async def _at_rest(self) -> None:
        """Wait until customers and provider have nothing more to say, and relays nothing to do."""
        if self.customers is None:
            return
        before: list[int] = []
        while True:
            is_idle = await self.customers.is_idle(self.session)
            rows = await self._ask_until_answered(self._rows, self.headers)
            heads = sorted(row["last_seq"] for row in rows)
            if is_idle and heads == before:
                return
            before = heads
            await asyncio.sleep(AT_REST_SECONDS)

    async def _ask_until_answered(
        self, ask: Callable[..., Awaitable[Value]], *arguments: Any
    ) -> Value:
        while True:
            try:
                return await ask(*arguments)
            except aiohttp.ClientResponseError as error:
                if error.status < 500 and error.status != 429:
                    raise
                self.last_refusal = repr(error)
            except (aiohttp.ClientError, OSError, TimeoutError) as error:
                self.last_refusal = repr(error)
            await asyncio.sleep(ASK_AGAIN_SECONDS)

    async def settle(self, within_seconds: float = 30) -> None:
        """Wait until every reader has reached the truth.

        A reader that never gets there is left to the checker, which says what it lacks.
        """
        deadline = time.monotonic() + scaled(within_seconds)
        while time.monotonic() < deadline and any(True for _ in self._behind()):
            await asyncio.sleep(0.05)

    def _behind(self) -> Iterator[str]:
        heads = {
            conversation_id: log[-1].seq if log else 0
            for conversation_id, log in self.history.truth.items()
        }
        for reader in self._reading():
            for conversation_id in reader.wanted():
                reached = reader.cursors.get(conversation_id) or 0
                if reached < (head := heads.get(conversation_id, 0)):
                    yield f"{reader} is at #{reached} of {conversation_id}, the log at #{head}"
            if reader.follows_list and reader.history.inbox != reader.history.may_see:
                yield f"{reader.history.name}: the list shows something else than REST"

    async def _log_of(self, conversation_id: str) -> list[StoredEvent]:
        log: list[StoredEvent] = []
        address = f"{self.url}/api/v1/conversations/{conversation_id}/events"
        while True:
            asked = {"after_seq": str(log[-1].seq if log else 0), "limit": str(PAGE)}
            headers = self._headers_for(conversation_id)
            async with self.session.get(address, params=asked, headers=headers) as answer:
                answer.raise_for_status()
                items = (await answer.json())["items"]
            if not items:
                return log
            log += [_stored(item) for item in items]


def _stored(item: dict[str, Any]) -> StoredEvent:
    data = item["data"]
    is_new = item["event"] == "message:new"
    return StoredEvent(
        item["seq"],
        item["event"],
        data["id"] if is_new else data.get("message_id"),
        data.get("status") if item["event"] != "conversation:updated" else None,
        data["content"].get("text") if is_new else None,
        data.get("assigned_to"),
    )
