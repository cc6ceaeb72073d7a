"""What Meta's error codes mean for us. What people read of them is in `contract.failures`.

Built on `error.code` alone: titles are translated, subcodes change, the HTTP status is
often 400 for everything. A code that is not in the table is judged by its HTTP status.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from pytake.contract import failures
from pytake.contract.failures import Failure, failure_of


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
    """One row of the table; what an agent reads is in `contract.failures`."""

    kind: str
    action: Action
    bucket: Bucket | None = None


_AUTH = Meaning("auth", Action.STOP)
_TRANSIENT = Meaning("transient", Action.RETRY)
_POLICY = Meaning("policy", Action.STOP)
_WINDOW = Meaning("window", Action.FAIL)
_RECIPIENT = Meaning("recipient", Action.FAIL)
_MARKETING = Meaning("marketing", Action.FAIL)
_BAD_REQUEST = Meaning("bad_request", Action.FAIL)
_MEDIA = Meaning("media", Action.UPLOAD_AGAIN)
_TEMPLATE = Meaning("template", Action.FAIL)
_OTHER = Meaning("other", Action.FAIL)


def _throttle(bucket: Bucket) -> Meaning:
    return Meaning("throttle", Action.SLOW_DOWN, bucket)


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
    say(_WINDOW, WINDOW_CODE)
    say(_RECIPIENT, 131026, 131021, 131030, 131045)
    say(_MARKETING, 131049, 130472, OPTED_OUT_CODE)
    say(_BAD_REQUEST, 100, 33, 131008, 131009, 131051)
    say(_MEDIA, 131052, 131053)
    say(_TEMPLATE, 132000, 132001, 132005, 132007, 132012, 132015, 132016, 132018, 132068, 132069)
    say(_OTHER, 135000, 134011, 131005, *(code for code in range(133000, 133016) if code != 133004))
    return table


WINDOW_CODE = 131047
OPTED_OUT_CODE = 131050
TEMPLATE_STATES: Mapping[int, str] = {132001: "DELETED", 132015: "PAUSED", 132016: "DISABLED"}
"""What a refusal tells of the template; the next reading of the list may know better."""

TABLE: Mapping[int, Meaning] = _table()

_OF_KIND: Mapping[str, Failure] = {
    "auth": failure_of(failures.whatsapp(190)),
    "throttle": failure_of(failures.whatsapp(130429)),
    "transient": failure_of(failures.whatsapp(131000)),
}
"""The words for what only the HTTP status tells."""


def shown_failure(code: str, detail: str = "") -> dict[str, Any]:
    """Return the `error` of a message: plain words, and where there is more, the detail."""
    return _shown(code, failure_of(code), detail)


def _shown(code: str, words: Failure, detail: str) -> dict[str, Any]:
    title, next_step = words.en
    error: dict[str, Any] = {"code": code, "title": title, "next_step": next_step}
    if detail:
        error["detail"] = detail[:500]
    return error


UNCONFIRMED = shown_failure(failures.UNCONFIRMED)


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
        code = failures.whatsapp(self.code) if self.code is not None else failures.OTHER
        words = failure_of(code)
        if self.code not in TABLE:
            words = _OF_KIND.get(self.meaning.kind, words)
        return _shown(code, words, self.details or self.title)


def says_window_closed(error: Mapping[str, Any] | None) -> bool:
    """Whether an error as we show it says that the 24 hours are over."""
    return error is not None and error.get("code") == failures.whatsapp(WINDOW_CODE)


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


def read_errors(value: Any) -> list[ProviderError]:
    """Understand an `errors` of a webhook, whatever it is."""
    return [read_error(body) for body in value] if isinstance(value, list) else []
