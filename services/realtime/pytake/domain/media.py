"""Which files WhatsApp carries, how large they may be, and what they really are.

A file is judged by its first bytes, not by the type that somebody declared: a page of
HTML that calls itself an image must never reach a browser as one.
"""

from collections.abc import Mapping

from pytake.domain.message import MessageType

MEGABYTE = 1_000_000

MAX_BYTES: Mapping[MessageType, int] = {
    MessageType.IMAGE: 5 * MEGABYTE,
    MessageType.AUDIO: 16 * MEGABYTE,
    MessageType.VIDEO: 16 * MEGABYTE,
    MessageType.STICKER: 500_000,
    MessageType.DOCUMENT: 100 * MEGABYTE,
}
MAX_FILE_BYTES = max(MAX_BYTES.values())

SHOWN_INLINE = frozenset(
    (
        "image/jpeg",
        "image/png",
        "image/webp",
        "image/gif",
        "audio/aac",
        "audio/amr",
        "audio/mpeg",
        "audio/mp4",
        "audio/ogg",
        "video/mp4",
        "video/3gpp",
    )
)
"""What a browser may show by itself; everything else is downloaded."""

UNKNOWN = "application/octet-stream"


def sniff(data: bytes) -> str | None:
    """Return the type that the first bytes tell of, or None if they tell nothing."""
    for prefix, mime_type in _PREFIXES:
        if data.startswith(prefix):
            return mime_type
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "image/webp"
    if data[4:8] == b"ftyp":
        return _of_brand(data[8:12])
    return None


_PREFIXES = (
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"%PDF-", "application/pdf"),
    (b"OggS", "audio/ogg"),
    (b"ID3", "audio/mpeg"),
    (b"\xff\xfb", "audio/mpeg"),
    (b"\xff\xf1", "audio/aac"),
    (b"\xff\xf9", "audio/aac"),
    (b"#!AMR", "audio/amr"),
    (b"PK\x03\x04", "application/zip"),
)


def _of_brand(brand: bytes) -> str:
    if brand[:3] == b"M4A":
        return "audio/mp4"
    return "video/3gpp" if brand[:3] == b"3gp" else "video/mp4"


def true_type(declared: str, data: bytes) -> str:
    """Return the type to serve a file as.

    What may be shown inline must prove itself; a ZIP may be any office document, so a
    declared document type is kept; the rest is bytes.
    """
    declared = declared.split(";")[0].strip().lower()
    found = sniff(data)
    if found in SHOWN_INLINE:
        return found if declared.split("/")[0] != "audio" or found != "video/mp4" else "audio/mp4"
    if declared in SHOWN_INLINE or "html" in declared or "svg" in declared or "xml" in declared:
        return found or UNKNOWN
    return declared if "/" in declared else found or UNKNOWN
