"""Files that agents send and customers sent: kept by organization, read by who may see them."""

from collections.abc import AsyncIterator
from uuid import uuid4

from pytake.application.channel_ports import FileMissing, MediaFiles, MediaLibrary, MediaRecord
from pytake.application.ports import Clock, ConversationReader
from pytake.application.visible import visible_conversation
from pytake.domain.errors import ErrorCode, InvalidPayload, NotFound, Refused
from pytake.domain.media import MAX_BYTES, SHOWN_INLINE, true_type
from pytake.domain.message import MessageType
from pytake.domain.principal import Principal

MAX_FILENAME_CHARACTERS = 240


class Files:
    """Stores and reads files; what they are is judged by their bytes."""

    def __init__(
        self, library: MediaLibrary, files: MediaFiles, reader: ConversationReader, clock: Clock
    ) -> None:
        self._library = library
        self._files = files
        self._reader = reader
        self._clock = clock

    async def store(
        self, principal: Principal, *, filename: str, declared_type: str, data: bytes
    ) -> MediaRecord:
        """Keep a file of the principal's organization.

        Raises:
            InvalidPayload: It is empty.
            Refused: `payload_too_large` for what it is.
        """
        if not data:
            raise InvalidPayload(detail="file: is empty")
        mime_type = true_type(declared_type, data)
        if len(data) > MAX_BYTES[_kind(mime_type)]:
            raise Refused(ErrorCode.PAYLOAD_TOO_LARGE)
        media_id = str(uuid4())
        record = MediaRecord(
            id=media_id,
            organization_id=principal.organization_id,
            channel_id=None,
            mime_type=mime_type,
            filename=_safe_name(filename),
            size=len(data),
            storage_key=f"{principal.organization_id}/{media_id}",
        )
        # Bytes first: a record without them would be a promise that cannot be kept.
        await self._files.put(str(record.storage_key), data)
        await self._library.add(record, now=self._clock())
        return record

    async def visible(self, principal: Principal, media_id: str) -> MediaRecord:
        """Return what is known of a file that the principal may see.

        Raises:
            NotFound: There is none, or the principal may not know that there is.
        """
        record = await self._library.media(media_id)
        if record is None or record.organization_id != principal.organization_id:
            raise NotFound
        if record.conversation_id is not None:
            await visible_conversation(self._reader, principal, record.conversation_id)
        return record

    async def find(self, principal: Principal | None, media_id: str) -> tuple[MediaRecord, int]:
        """Return what is known of a file and its size; without a principal whoever asks has
        shown a link that we signed.

        Raises:
            NotFound: There is no such file, not for this principal, or not yet.
        """
        if principal is None:
            record = await self._library.media(media_id)
        else:
            record = await self.visible(principal, media_id)
        if record is None or record.storage_key is None:
            raise NotFound
        try:
            return record, await self._files.size(record.storage_key)
        except FileMissing:
            raise NotFound from None

    def stream(self, record: MediaRecord, first: int, last: int) -> AsyncIterator[bytes]:
        """Yield a part of a file that was found."""
        return self._files.stream(str(record.storage_key), first, last)


def _kind(mime_type: str) -> MessageType:
    family = mime_type.partition("/")[0]
    if mime_type in SHOWN_INLINE and family in ("image", "audio", "video"):
        return MessageType(family)
    return MessageType.DOCUMENT


def _safe_name(filename: str) -> str | None:
    """Drop folders and what no header could carry."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(each for each in name if each.isprintable())[-MAX_FILENAME_CHARACTERS:].strip()
    return name or None
