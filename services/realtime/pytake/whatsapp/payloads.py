"""From the bytes of a delivery to its items, leniently.

A delivery holds several entries, changes, messages and statuses. Each comes out as an item
of its own; what cannot be one comes out as a `Poison` with the reason. Members and fields
that nobody knows are ignored: Meta adds some every year.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from pytake.domain.phone import variants

Json = Mapping[str, Any]

ERRORS = "errors"
"""The field of a `ChangeItem` that holds what is wrong with a number as such."""

MAX_DEPTH = 100
"""Of arrays and objects in each other; deeper ones can neither be walked through nor stored."""


@dataclass(frozen=True, slots=True)
class MessageItem:
    """A message of a customer, or (`is_echo`) one written with the phone app.

    `is_history`: an old one of either kind, given when a number joins with its past.
    """

    phone_number_id: str
    message: Json
    contact: Json
    is_echo: bool = False
    account_id: str = ""
    is_history: bool = False

    @property
    def lane(self) -> str:
        """What items of one conversation have in common: they are handled in order."""
        side = "to" if self.is_echo else "from"
        user_id = self.message.get(f"{side}_user_id") or self.contact.get("user_id")
        name = self.message.get(side) or user_id
        writings = variants(name) if isinstance(name, str) and name.isdigit() else (str(name),)
        return f"{self.phone_number_id}/{min(writings)}"


@dataclass(frozen=True, slots=True)
class StatusItem:
    """What became of one of our messages."""

    phone_number_id: str
    status: Json

    @property
    def lane(self) -> str:
        return f"status/{self.status.get('id')}"


@dataclass(frozen=True, slots=True)
class ChangeItem:
    """Any other news: of templates, of the number, of the account."""

    phone_number_id: str
    account_id: str
    field: str
    value: Json

    @property
    def lane(self) -> str:
        return f"change/{self.account_id}"


@dataclass(frozen=True, slots=True)
class Poison:
    """A part of a delivery that makes no sense; it goes to quarantine."""

    reason: str
    item: Json | str
    phone_number_id: str = ""

    @property
    def lane(self) -> str:
        return "poison"


Item = MessageItem | StatusItem | ChangeItem | Poison


def parse_delivery(body: bytes) -> list[Item]:
    """Return every item of a delivery, in its order; never raises."""
    try:
        document = _decode(body)
    except (ValueError, RecursionError) as error:
        return [Poison(f"not JSON: {error}", excerpt(body))]
    if body.count(b"[") + body.count(b"{") > MAX_DEPTH and _is_too_deep(document):
        return [Poison("nested too deeply", excerpt(body))]
    if not isinstance(document, dict) or not isinstance(document.get("entry"), list):
        return [Poison("no WhatsApp delivery: `entry` is missing", _as_item(document))]
    return [item for entry in document["entry"] for item in _of_entry(entry)]


def excerpt(body: bytes) -> str:
    """Return the beginning of a body, as a text that can be stored."""
    return body[:500].decode("utf-8", "replace").replace("\x00", "")


def _is_too_deep(document: Any) -> bool:
    level = [document]
    for _ in range(MAX_DEPTH):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return False
    return True


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _decode(body: bytes) -> Any:
    try:
        return _without_nul(orjson.loads(body)) if b"\\u0000" in body else orjson.loads(body)
    except orjson.JSONDecodeError:
        # Half of a surrogate pair is legal in JSON as Python and PHP write it.
        text = json.dumps(json.loads(body, parse_constant=_refuse), ensure_ascii=False)
        return _without_nul(orjson.loads(text.encode("utf-8", "replace")))


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _without_nul(value: Any) -> Any:
    """PostgreSQL has no U+0000 in texts."""
    if isinstance(value, str):
        return value.replace("\x00", "")
    if isinstance(value, list):
        return [_without_nul(part) for part in value]
    if isinstance(value, dict):
        return {_without_nul(key): _without_nul(part) for key, part in value.items()}
    return value


def _as_item(value: Any) -> Json | str:
    if isinstance(value, dict):
        return value
    return json.dumps(value)[:500]


def _of_entry(entry: Any) -> Iterator[Item]:
    if not isinstance(entry, dict) or not isinstance(entry.get("changes"), list):
        yield Poison("an entry without `changes`", _as_item(entry))
        return
    account_id = str(entry.get("id", ""))
    for change in entry["changes"]:
        yield from _of_change(account_id, change)


def _of_change(account_id: str, change: Any) -> Iterator[Item]:
    value = change.get("value") if isinstance(change, dict) else None
    if not isinstance(value, dict):
        yield Poison("a change without `value`", _as_item(change))
        return
    field = str(change.get("field", ""))
    metadata = value.get("metadata")
    number = str(metadata.get("phone_number_id", "")) if isinstance(metadata, dict) else ""
    known = False
    for name, is_echo in (("messages", False), ("message_echoes", True)):
        if name in value:
            known = True
            yield from _messages(number, account_id, value, name, is_echo)
    if "statuses" in value:
        known = True
        yield from _statuses(number, value["statuses"])
    if "history" in value and isinstance(value["history"], list):
        known = True
        yield from _history(number, value)
    if "errors" in value:
        known = True
        yield ChangeItem(number, account_id, ERRORS, {"errors": value["errors"]})
    if not known:
        yield ChangeItem(number, account_id, field, value)


def _messages(
    number: str, account_id: str, value: Json, name: str, is_echo: bool
) -> Iterator[Item]:
    messages = value[name]
    if not isinstance(messages, list):
        yield Poison(f"`{name}` is no list", value, number)
        return
    contacts = value.get("contacts")
    people = [c for c in contacts if isinstance(c, dict)] if isinstance(contacts, list) else []
    for message in messages:
        if isinstance(message, dict):
            contact = _contact_of(message, people)
            yield MessageItem(number, message, contact, is_echo, account_id)
        else:
            yield Poison("a message that is no object", _as_item(message), number)


def _contact_of(message: Json, people: list[dict[str, Any]]) -> Json:
    """Find the contact by its names, never by position: the lists need not be parallel."""
    phone, user_id = message.get("from"), message.get("from_user_id")
    writings = set(variants(phone)) if isinstance(phone, str) else set()
    for person in people:
        wa_id = person.get("wa_id")
        if isinstance(wa_id, str) and writings & set(variants(wa_id)):
            return person
        if user_id is not None and person.get("user_id") == user_id:
            return person
    return people[0] if len(people) == 1 and phone is None and user_id is None else {}


def _statuses(number: str, statuses: Any) -> Iterator[Item]:
    if not isinstance(statuses, list):
        yield Poison("`statuses` is no list", _as_item(statuses), number)
        return
    for status in statuses:
        if isinstance(status, dict):
            yield StatusItem(number, status)
        else:
            yield Poison("a status that is no object", _as_item(status), number)


def _history(number: str, value: Json) -> Iterator[Item]:
    """Old messages of the phone app, given once when a number joins with its history."""
    metadata = value.get("metadata")
    own = str(metadata.get("display_phone_number", "")) if isinstance(metadata, dict) else ""
    for part in value["history"]:
        threads = part.get("threads") if isinstance(part, dict) else None
        for thread in threads if isinstance(threads, list) else []:
            if not isinstance(thread, dict) or not isinstance(thread.get("messages"), list):
                yield Poison("a history thread without messages", _as_item(thread), number)
                continue
            for message in thread["messages"]:
                if not isinstance(message, dict):
                    yield Poison("a message that is no object", _as_item(message), number)
                    continue
                is_echo = str(message.get("from", "")) == own
                full = message | ({"to": thread.get("id")} if is_echo else {})
                yield MessageItem(number, full, {}, is_echo, is_history=True)
