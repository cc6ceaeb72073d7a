"""`MediaFiles` on whatever obstore can open."""

from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import LocalStore, S3Store

from pytake.application.channel_ports import FileMissing
from pytake.domain.errors import Unavailable

TIMEOUT = timedelta(seconds=30)
CONNECT_TIMEOUT = timedelta(seconds=5)
PART_BYTES = 65_536


class ObjectStoreMediaFiles:
    """Files as objects.

    Args:
        url: `file:./folder`, `s3://[key:secret@]bucket[/prefix][?region=…&endpoint=…]`, or
            `https://key:secret@host/bucket[/prefix][?region=…]` for another S3-compatible
            store. Without a key S3's own means apply (the role of the machine, `AWS_*`).
    """

    def __init__(self, url: str) -> None:
        self._store = _open(url)

    async def put(self, key: str, data: bytes) -> None:
        """Keep the bytes; the same key again replaces them."""
        try:
            await obstore.put_async(self._store, key, data)
        except (BaseError, OSError) as error:
            raise Unavailable(detail="The storage of files is not available.") from error

    async def get(self, key: str) -> bytes:
        """Return the bytes."""
        try:
            found = await obstore.get_async(self._store, key)
            return bytes(await found.bytes_async())
        except (NotFoundError, FileNotFoundError) as error:
            raise FileMissing(key) from error
        except (BaseError, OSError) as error:
            raise Unavailable(detail="The storage of files is not available.") from error

    async def size(self, key: str) -> int:
        """Return how many bytes there are."""
        try:
            found: int = (await obstore.head_async(self._store, key))["size"]
            return found
        except (NotFoundError, FileNotFoundError) as error:
            raise FileMissing(key) from error
        except (BaseError, OSError) as error:
            raise Unavailable(detail="The storage of files is not available.") from error

    async def stream(self, key: str, first: int, last: int) -> AsyncIterator[bytes]:
        """Yield the bytes from the first to the last, in parts."""
        try:
            found = await obstore.get_async(self._store, key, options={"range": (first, last + 1)})
            async for part in found.stream(min_chunk_size=PART_BYTES):
                yield bytes(part)
        except (NotFoundError, FileNotFoundError) as error:
            raise FileMissing(key) from error
        except (BaseError, OSError) as error:
            raise Unavailable(detail="The storage of files is not available.") from error

    async def delete(self, keys: Sequence[str]) -> None:
        """Delete what is there."""
        for key in keys:
            try:
                await obstore.delete_async(self._store, key)
            except (NotFoundError, FileNotFoundError):
                continue
            except (BaseError, OSError) as error:
                raise Unavailable(detail="The storage of files is not available.") from error


def _open(url: str) -> Any:
    if url.startswith("file:"):
        folder = Path(unquote(urlsplit(url).path if "://" in url else url.removeprefix("file:")))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return LocalStore(folder.resolve())
    parts = urlsplit(url)
    options = dict(parse_qsl(parts.query))
    settings: dict[str, Any] = {"region": options.get("region", "us-east-1")}
    if parts.username:
        settings["access_key_id"] = unquote(parts.username)
        settings["secret_access_key"] = unquote(parts.password or "")
    if parts.scheme == "s3":
        bucket, prefix = parts.hostname or "", parts.path.strip("/")
        if "endpoint" in options:
            settings["endpoint"] = options["endpoint"]
    else:
        bucket, _, prefix = parts.path.strip("/").partition("/")
        host = parts.hostname or ""
        settings["endpoint"] = f"{parts.scheme}://{host}" + (f":{parts.port}" if parts.port else "")
    is_plain = str(settings.get("endpoint", "")).startswith("http:")
    return S3Store(
        bucket,
        prefix=prefix or None,
        client_options={
            "timeout": TIMEOUT,
            "connect_timeout": CONNECT_TIMEOUT,
            "allow_http": is_plain,
        },
        virtual_hosted_style_request=False,
        **settings,
    )
