"""Files on their way in and out: fetched from Meta once, given to Meta when needed.

Inbound: the webhook names a file; it is fetched soon, because Meta forgets it after a week,
verified by its hash, and kept under the organization. A file that is gone is marked so, and
an agent reads that. Meta blocks a number that keeps asking for what is not there, so the
waits between attempts grow quickly.
"""

import base64
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import structlog

from pytake.application.channel_ports import (
    FileMissing,
    MediaFiles,
    MediaLibrary,
    MediaRecord,
    SendingChannels,
)
from pytake.application.ports import ChannelDirectory, Clock
from pytake.domain.errors import Unavailable
from pytake.domain.ids import ChannelId
from pytake.domain.media import true_type
from pytake.whatsapp.graph import GraphClient, GraphError, Number
from pytake.whatsapp.outbound import NotSendable

log = structlog.get_logger()

UPLOADED_FOR = timedelta(days=29)
"""Meta keeps what we upload for 30 days."""

FETCH_WAITS = (5, 30, 300, 1800, 7200, 21600, 86400)
FETCH_AT_ONCE = 8


def storage_key(record: MediaRecord) -> str:
    """Return where the bytes lie: by organization, so that one can be erased or moved."""
    return f"{record.organization_id}/{record.id}"


class MediaUploads:
    """Gives files of agents to Meta; implements `sender.Uploads`."""

    def __init__(
        self, library: MediaLibrary, files: MediaFiles, graph: GraphClient, clock: Clock
    ) -> None:
        self._library = library
        self._files = files
        self._graph = graph
        self._clock = clock

    async def provider_id(self, number: Number, content: Mapping[str, Any]) -> str:
        """Return Meta's id of the file, uploading it where needed."""
        record = await self._library.media(str(content.get("media_id", "")))
        if record is None or record.storage_key is None:
            raise NotSendable("The file does not exist.")
        if self._is_known(record):
            return str(record.provider_id)
        try:
            data = await self._files.get(record.storage_key)
        except FileMissing:
            raise NotSendable("The file does not exist any more.") from None
        filename = record.filename or f"file.{record.mime_type.rpartition('/')[2]}"
        provider_id = await self._graph.upload(number, data, record.mime_type, filename)
        expires = self._clock() + UPLOADED_FOR
        await self._library.change(
            replace(record, provider_id=provider_id, provider_expires_at=expires)
        )
        return provider_id

    async def forget(self, content: Mapping[str, Any]) -> None:
        """Have the file uploaded anew next time: Meta says that it is gone or broken."""
        record = await self._library.media(str(content.get("media_id", "")))
        if record is not None:
            await self._library.change(replace(record, provider_id=None, provider_expires_at=None))

    def _is_known(self, record: MediaRecord) -> bool:
        expires = record.provider_expires_at
        return record.provider_id is not None and expires is not None and self._clock() < expires


class MediaDownloads:
    """Fetches what customers sent."""

    def __init__(
        self,
        library: MediaLibrary,
        files: MediaFiles,
        graph: GraphClient,
        channels: SendingChannels,
        directory: ChannelDirectory,
        clock: Clock,
        *,
        count: Callable[[str], None] = lambda outcome: None,
        waits: tuple[float, ...] = FETCH_WAITS,
    ) -> None:
        self._library = library
        self._files = files
        self._graph = graph
        self._channels = channels
        self._directory = directory
        self._clock = clock
        self._count = count
        self._waits = waits

    async def fetch_due(self) -> int:
        """Fetch what is due, one file after the other; return how many were looked at.

        Raises:
            Unavailable: The store or the storage is away; the rest is due again at once.
        """
        due = await self._library.to_fetch(now=self._clock(), limit=FETCH_AT_ONCE)
        for record in due:
            try:
                await self._fetch(record)
            except Unavailable:
                raise
            except Exception as error:
                # Whatever it is, the files behind it must not wait for it.
                log.exception("media_failed", media_id=record.id)
                await self._later(record, f"failed: {type(error).__name__}")
        return len(due)

    async def _fetch(self, record: MediaRecord) -> None:
        try:
            number = await self._number(record)
            data, declared = await self._graph.download(number, record.provider_id or "")
            _verify(record, data)
        except GraphError as problem:
            await self._later(record, str(problem))
            return
        key = storage_key(record)
        await self._files.put(key, data)
        fetched = replace(
            record,
            storage_key=key,
            size=len(data),
            sha256=hashlib.sha256(data).hexdigest(),
            mime_type=true_type(record.mime_type or declared, data),
        )
        await self._library.change(fetched)
        self._count("fetched")

    async def _number(self, record: MediaRecord) -> Number:
        for channel in await self._directory.channels(record.organization_id):
            if channel.id == record.channel_id:
                token = await self._channels.access_token(ChannelId(channel.id))
                if token is not None:
                    return Number(channel.phone_number_id, token)
        raise GraphError(None, "the number is not there any more")

    async def _later(self, record: MediaRecord, reason: str) -> None:
        if record.attempts >= len(self._waits):
            log.warning("media_given_up", media_id=record.id, reason=reason)
            await self._library.change(replace(record, failure=reason[:200]))
            self._count("given_up")
            return
        wait = timedelta(seconds=self._waits[record.attempts])
        await self._library.postpone(record.id, until=self._clock() + wait)
        self._count("postponed")


def _verify(record: MediaRecord, data: bytes) -> None:
    """Compare with the hash of the webhook, which is hex or base64 by its age.

    Raises:
        GraphError: Somebody gave us other bytes.
    """
    if not record.sha256:
        return
    digest = hashlib.sha256(data).digest()
    if record.sha256 not in (digest.hex(), base64.b64encode(digest).decode()):
        raise GraphError(None, "the bytes do not fit their hash")
