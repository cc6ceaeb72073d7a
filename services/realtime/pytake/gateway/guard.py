"""Stands before every handler: shape, size and rate of what a client sends.

Nothing a handler sees has the wrong shape, and nothing a client sends goes unanswered:
a refusal is one `error` event a second and code at most, and an acknowledgement always.
Who is refused 100 times in a minute is not listening, and is closed.
"""

import asyncio
from collections import deque
from typing import Any

from pydantic import ValidationError

from pytake.application.connection_ports import EventRates
from pytake.contract.client_events import CLIENT_EVENTS, ClientPayload
from pytake.domain.errors import ErrorCode, InvalidPayload, Refused, TooMuch
from pytake.gateway.connection import Connection

WEIGHTS = {"join_conversation": 1, "join_conversations": 1, "typing_start": 1}
"""What the user's budget is charged; an unknown event costs 1, all others nothing."""

JOINS = frozenset({"join_conversation", "join_conversations"})
FREE_JOINS = 200
FREE_JOIN_SECONDS = 10.0

LIGHT_EVENTS = 50
LIGHT_SECONDS = 5.0

MAX_REFUSALS = 100
REFUSAL_SECONDS = 60.0
TELL_AGAIN_SECONDS = 1.0


def is_charged(event: str) -> bool:
    """Whether an event is taken from its user's budget; the others are held per connection."""
    return event == "other" or event in WEIGHTS


class Guard:
    """Checks events of all connections of the pod.

    Args:
        rates: The users' budgets in the whole cluster.
    """

    def __init__(self, rates: EventRates) -> None:
        self._rates = rates
        self._light: dict[str, deque[float]] = {}
        self._free_joins: dict[str, int] = {}

    async def check(
        self, connection: Connection, event: str, arguments: list[Any]
    ) -> ClientPayload:
        """Return the parsed payload of an event that may be handled.

        Raises:
            TooMuch: `rate_limited`, with the time to wait.
            Refused: `unknown_event` or `invalid_payload`.
        """
        model = CLIENT_EVENTS.get(event)
        if model is not None and event not in WEIGHTS:
            self._charge_light(connection)
        elif event not in JOINS or not self._is_free_join(connection):
            wait = await self._rates.take(connection.principal.user_id)
            if wait > 0:
                raise TooMuch(ErrorCode.RATE_LIMITED, retry_after_ms=_milliseconds(wait))
        if model is None:
            raise Refused(ErrorCode.UNKNOWN_EVENT)
        return parse(model, arguments)

    def _is_free_join(self, connection: Connection) -> bool:
        if _now() - connection.opened_at > FREE_JOIN_SECONDS:
            return False
        used = self._free_joins.get(connection.sid, 0)
        self._free_joins[connection.sid] = used + 1
        return used < FREE_JOINS

    def _charge_light(self, connection: Connection) -> None:
        times = self._light.setdefault(connection.sid, deque())
        now = _now()
        while times and now - times[0] >= LIGHT_SECONDS:
            times.popleft()
        if len(times) >= LIGHT_EVENTS:
            wait = LIGHT_SECONDS - (now - times[0])
            raise TooMuch(ErrorCode.RATE_LIMITED, retry_after_ms=_milliseconds(wait))
        times.append(now)

    def refused_too_often(self, connection: Connection) -> bool:
        """Count one refusal; True once there were 100 within 60 s."""
        now = _now()
        refusals = connection.refusals
        while refusals and now - refusals[0] >= REFUSAL_SECONDS:
            refusals.popleft()
        refusals.append(now)
        return len(refusals) >= MAX_REFUSALS

    def may_tell(self, connection: Connection, code: str) -> bool:
        """Whether the `error` event of this code is due: once a second and connection."""
        now = _now()
        if now - connection.told_at.get(code, -TELL_AGAIN_SECONDS) < TELL_AGAIN_SECONDS:
            return False
        connection.told_at[code] = now
        return True

    def forget(self, connection: Connection) -> None:
        """Drop what was counted for a connection that is gone."""
        self._light.pop(connection.sid, None)
        self._free_joins.pop(connection.sid, None)


def parse(model: type[ClientPayload], arguments: list[Any]) -> ClientPayload:
    """Return the payload of an event; no argument and null count as an empty object.

    Raises:
        InvalidPayload: It has not the shape of the model; the text names the member.
    """
    payload = arguments[0] if arguments else {}
    if payload is None:
        payload = {}
    if len(arguments) > 1 or not isinstance(payload, dict):
        raise InvalidPayload(detail="The payload must be one object.")
    try:
        return model.model_validate(payload)
    except ValidationError as error:
        raise InvalidPayload(detail=_first_problem(error)) from None
    except RecursionError:
        raise InvalidPayload(detail="The payload is nested too deeply.") from None


def _first_problem(error: ValidationError) -> str:
    problem = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in problem["loc"][:4])
    return f"{where[:80]}: {problem['msg'].removeprefix('Value error, ')}"


def _milliseconds(seconds: float) -> int:
    return max(1, int(seconds * 1000 + 0.999))


def _now() -> float:
    return asyncio.get_running_loop().time()
