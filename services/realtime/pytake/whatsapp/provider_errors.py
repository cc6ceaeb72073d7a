"""What Meta's error codes mean for us, and what an agent reads.

Built on `error.code` alone: titles are translated, subcodes change, the HTTP status is
often 400 for everything. A code that is not in the table is judged by its HTTP status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Action(StrEnum):
    RETRY = "retry"
    """It passes by itself: again, later and later, for a day at most."""
    SLOW_DOWN = "slow_down"
    """Too fast for the number, the pair or the account: slow that down, then again."""
    UPLOAD_AGAIN = "upload_again"
    """The file is gone on Meta's side: upload it once more, then give up."""
    FAIL = "fail"
    """Never again: the same request will fail the same way."""
    STOP = "stop"
    """The number may not send at all: keep the queue and tell an admin."""


class Bucket(StrEnum):
    """What is to be slowed down."""

    ACCOUNT = "account"
    NUMBER = "number"
    PAIR = "pair"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One row of the table. `title` and `next_step` are shown to the agent."""

    kind: str
    action: Action
    title: str
    next_step: str
    bucket: Bucket | None = None


_AUTH = Meaning(
    "auth",
    Action.STOP,
    "The number is not signed in to WhatsApp.",
    "Tell an admin: the access token of the number must be renewed. The message waits.",
)
_TRANSIENT = Meaning(
    "transient",
    Action.RETRY,
    "WhatsApp did not take the message just now.",
    "Nothing: it is sent again by itself.",
)
_POLICY = Meaning(
    "policy",
    Action.STOP,
    "WhatsApp has stopped this number.",
    "Tell an admin: the account needs attention in Meta's business manager. The message waits.",
)
_WINDOW = Meaning(
    "window",
    Action.FAIL,
    "The customer has not written within the last 24 hours.",
    "Send an approved template, or wait for the customer to write.",
)
_RECIPIENT = Meaning(
    "recipient",
    Action.FAIL,
    "The customer cannot be reached on WhatsApp.",
    "Check the number, or contact the customer another way.",
)
_BAD_REQUEST = Meaning(
    "bad_request",
    Action.FAIL,
    "WhatsApp does not take a message of this form.",
    "Write it differently; report it to your admin if it happens again.",
)
_MEDIA = Meaning(
    "media",
    Action.UPLOAD_AGAIN,
    "WhatsApp could not take the file.",
    "Send the file again, or in another format.",
)
_TEMPLATE = Meaning(
    "template",
    Action.FAIL,
    "WhatsApp does not take this template.",
    "Choose another template; an admin can see its state.",
)
_OTHER = Meaning(
    "other",
    Action.FAIL,
    "WhatsApp refused the message.",
    "Try it once more; tell an admin if it fails again.",
)


def _throttle(bucket: Bucket) -> Meaning:
    return Meaning(
        "throttle",
        Action.SLOW_DOWN,
        "Too many messages at once.",
        "Nothing: it is sent by itself in a moment.",
        bucket,
    )


def _marketing(title: str) -> Meaning:
    return Meaning(
        "marketing",
        Action.FAIL,
        title,
        "Do not send marketing messages to this customer; answer when the customer writes.",
    )


def _table() -> dict[int, Meaning]:
    table: dict[int, Meaning] = {}

    def say(meaning: Meaning, *codes: int) -> None:
        table.update(dict.fromkeys(codes, meaning))

    say(_AUTH, 0, 190, 3, 10, *range(200, 300))
    say(_TRANSIENT, 1, 2, 131000, 131016, 131057, 133004)
    say(_throttle(Bucket.ACCOUNT), 4, 80007, 133016)
    say(_throttle(Bucket.NUMBER), 130429)
    say(_throttle(Bucket.PAIR), 131056)
    say(_POLICY, 131048, 368, 131031, 131042, 130497, 131037)
    say(_WINDOW, 131047)
    say(_RECIPIENT, 131026, 131021, 131030, 131045)
    say(_marketing("WhatsApp limits marketing messages to this customer."), 131049, 130472)
    say(_marketing("The customer does not want marketing messages."), 131050)
    say(_BAD_REQUEST, 100, 33, 131008, 131009, 131051)
    say(_MEDIA, 131052, 131053)
    say(_TEMPLATE, 132000, 132001, 132005, 132007, 132012, 132015, 132016, 132018, 132068, 132069)
    say(_OTHER, 135000, 134011, 131005, *(code for code in range(133000, 133016) if code != 133004))
    return table


TABLE: Mapping[int, Meaning] = _table()

UNCONFIRMED = {
    "code": "unconfirmed",
    "title": "WhatsApp did not answer.",
    "detail": "The message may or may not have reached the customer.",
    "next_step": "Wait a moment; if nothing comes, ask the customer before you send it again.",
}
CHANNEL_STOPPED = "channel_stopped"
WINDOW_CODE = 131047
OPTED_OUT_CODE = 131050


@dataclass(frozen=True, slots=True)
class ProviderError:
    """An error of the provider, from an answer or from a webhook."""

    code: int | None
    http_status: int | None = None
    title: str = ""
    details: str = ""

    @property
    def meaning(self) -> Meaning:
        if self.code is not None and self.code in TABLE:
            return TABLE[self.code]
        if self.http_status == 401:
            return _AUTH
        if self.http_status == 429:
            return _throttle(Bucket.NUMBER)
        if self.http_status is not None and self.http_status >= 500:
            return _TRANSIENT
        return _OTHER

    def shown(self) -> dict[str, Any]:
        """Return the `error` of a message: plain words, and Meta's own as the detail."""
        meaning = self.meaning
        error: dict[str, Any] = {
            "code": f"whatsapp_{self.code}" if self.code is not None else "whatsapp",
            "title": meaning.title,
            "next_step": meaning.next_step,
        }
        if detail := self.details or self.title:
            error["detail"] = detail[:500]
        return error


def says_window_closed(error: Mapping[str, Any] | None) -> bool:
    """Whether an error as we show it says that the 24 hours are over."""
    return error is not None and error.get("code") == f"whatsapp_{WINDOW_CODE}"


def read_error(body: Any, http_status: int | None = None) -> ProviderError:
    """Understand an error object as answers and webhooks carry it, however incomplete."""
    if not isinstance(body, dict):
        return ProviderError(None, http_status)
    data = body.get("error_data")
    details = data.get("details") if isinstance(data, dict) else None
    try:
        code = int(body["code"])
    except (KeyError, TypeError, ValueError):
        code = None
    title = body.get("title") or body.get("message") or ""
    return ProviderError(code, http_status, str(title), str(details or ""))
