"""JSON on the wire: orjson first, the standard library where orjson is stricter.

orjson is several times faster, but refuses what JavaScript and python-socketio
take: integers beyond 64 bits, half surrogate pairs (a client that cuts an emoji in
two sends one), keys that are not strings. Such values go the slow way instead of
closing the connection.
"""

import json
from typing import Any, Protocol

import orjson


class JsonModule(Protocol):
    """What python-socketio expects from its `json=` parameter."""

    def dumps(self, obj: Any, **options: Any) -> str: ...

    def loads(self, text: str | bytes, **options: Any) -> Any: ...


class JsonCodec:
    """Encodes to bytes and decodes from bytes.

    Args:
        module: A module to use instead, as python-socketio's `json=` takes it.
    """

    __slots__ = ("_module",)

    def __init__(self, module: JsonModule | None = None) -> None:
        self._module = module

    def encode(self, value: Any) -> bytes:
        """Return compact JSON.

        Raises:
            TypeError: The value has no form in JSON (bytes, for example).
        """
        if self._module is not None:
            return self._module.dumps(value, separators=(",", ":")).encode()
        try:
            return orjson.dumps(value)
        except TypeError:
            return json.dumps(value, separators=(",", ":")).encode()

    def decode(self, data: bytes) -> Any:
        """Return the value, or raise ValueError (UnicodeDecodeError for bad UTF-8)."""
        if self._module is not None:
            return self._module.loads(data.decode())
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError:
            text = data.decode()
            try:
                return json.loads(text, parse_constant=_refuse_constant)
            except RecursionError as error:
                raise ValueError("JSON is nested too deeply") from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


DEFAULT_CODEC = JsonCodec()
