"""Every storage of files keeps the promises of `MediaFiles`: a folder, and an S3-compatible store.

The S3 side is a small server of ours that speaks as much of the protocol as is used.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from pytake.application.channel_ports import FileMissing
from pytake.domain.errors import Unavailable
from pytake.media.object_store import ObjectStoreMediaFiles
from rest.server import listening

KEY = "6a1f0a3e-0000-4000-8000-00000000000a/file"
NOT_FOUND = b"<Error><Code>NoSuchKey</Code><Message>gone</Message></Error>"


class BucketServer:
    """One bucket in memory; it takes only requests that are signed with its key."""

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.app = Starlette(
            routes=[Route("/{path:path}", self._answer, methods=["GET", "PUT", "POST"])]
        )

    async def _answer(self, request: Request) -> Response:
        if "Credential=the-key/" not in request.headers.get("authorization", ""):
            return Response(status_code=403)
        path = request.path_params["path"]
        if request.method == "PUT":
            self.objects[path] = await request.body()
            return Response(headers={"ETag": '"1"'})
        if request.method == "POST" and "delete" in request.query_params:
            keys = re.findall("<Key>(.*?)</Key>", (await request.body()).decode())
            for key in keys:
                self.objects.pop(f"{path}/{key}", None)
            deleted = "".join(f"<Deleted><Key>{key}</Key></Deleted>" for key in keys)
            return Response(f"<DeleteResult>{deleted}</DeleteResult>", media_type="application/xml")
        if path not in self.objects:
            return Response(NOT_FOUND, 404, media_type="application/xml")
        headers = {"ETag": '"1"', "Last-Modified": "Sun, 22 Nov 2026 12:00:00 GMT"}
        whole = self.objects[path]
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d+)", request.headers.get("range", "")):
            first, last = int(wanted[1]), min(int(wanted[2]), len(whole) - 1)
            headers["Content-Range"] = f"bytes {first}-{last}/{len(whole)}"
            return Response(whole[first : last + 1], 206, headers)
        return Response(whole, headers=headers)


@pytest.fixture
async def bucket() -> AsyncIterator[tuple[BucketServer, str]]:
    server = BucketServer()
    async with listening(server.app) as url:
        yield server, url.replace("http://", "http://the-key:the%2Fsecret@") + "/bucket/media"


@pytest.fixture(params=["folder", "s3"])
def files(
    request: pytest.FixtureRequest, tmp_path: Path, bucket: tuple[BucketServer, str]
) -> ObjectStoreMediaFiles:
    url = f"file:{tmp_path / 'media'}" if request.param == "folder" else bucket[1]
    return ObjectStoreMediaFiles(url)


async def test_what_was_put_is_there_whole(files: ObjectStoreMediaFiles) -> None:
    data = bytes(range(256)) * 400

    await files.put(KEY, data)

    assert await files.get(KEY) == data


async def test_the_same_key_again_replaces(files: ObjectStoreMediaFiles) -> None:
    await files.put(KEY, b"first")

    await files.put(KEY, b"second")

    assert await files.get(KEY) == b"second"


async def test_what_is_not_there_is_missing(files: ObjectStoreMediaFiles) -> None:
    with pytest.raises(FileMissing):
        await files.get(KEY)


async def test_a_file_comes_in_parts_whole_or_a_range_of_it(files: ObjectStoreMediaFiles) -> None:
    data = bytes(range(256)) * 2000
    await files.put(KEY, data)
    size = await files.size(KEY)

    whole = [part async for part in files.stream(KEY, 0, size - 1)]
    some = [part async for part in files.stream(KEY, 300, 400)]
    last = [part async for part in files.stream(KEY, size - 1, size - 1)]

    assert size == len(data)
    assert b"".join(whole) == data
    assert b"".join(some) == data[300:401]
    assert b"".join(last) == data[-1:]


async def test_size_and_parts_of_what_is_not_there_are_missing(
    files: ObjectStoreMediaFiles,
) -> None:
    with pytest.raises(FileMissing):
        await files.size(KEY)
    with pytest.raises(FileMissing):
        _ = [part async for part in files.stream(KEY, 0, 1)]


async def test_deleting_is_safe_to_repeat(files: ObjectStoreMediaFiles) -> None:
    await files.put(KEY, b"data")

    for _ in range(2):
        await files.delete([KEY, "never/there"])

    with pytest.raises(FileMissing):
        await files.get(KEY)


async def test_the_address_names_bucket_and_prefix(bucket: tuple[BucketServer, str]) -> None:
    server, url = bucket

    await ObjectStoreMediaFiles(url).put(KEY, b"data")

    assert set(server.objects) == {f"bucket/media/{KEY}"}


async def test_a_storage_that_refuses_us_is_unavailable(bucket: tuple[BucketServer, str]) -> None:
    files = ObjectStoreMediaFiles(bucket[1].replace("the-key", "another"))

    with pytest.raises(Unavailable):
        await files.put(KEY, b"data")
