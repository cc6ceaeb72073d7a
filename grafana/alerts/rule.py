"""What an alert consists of, and how it becomes a Prometheus rule."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

Severity = Literal["critical", "warning", "info"]
"""critical wakes somebody, warning is for working hours, info is for the dashboard."""

Durations = Callable[[str, bool], str]
"""Maps a duration of the source to the one written; True where it is a `for`."""

DURATION = re.compile(r"(\d+)([smhd])")
_RANGE = re.compile(r"\[(\d+[smhd])\]")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Record:
    """A figure that Prometheus keeps ready."""

    name: str
    expr: str

    def as_rule(self, durations: Durations) -> dict[str, Any]:
        return {"record": self.name, "expr": _with_durations(self.expr, durations)}


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert.

    `summary` says what users feel; `description` has the figure; the runbook of the same
    name says what to do. `board` is the dashboard to look at.
    """

    name: str
    expr: str
    lasting: str
    severity: Severity
    summary: str
    description: str
    board: str = "pytake-overview"

    def as_rule(self, durations: Durations) -> dict[str, Any]:
        rule: dict[str, Any] = {"alert": self.name, "expr": _with_durations(self.expr, durations)}
        lasting = durations(self.lasting, True)
        if lasting != "0s":
            rule["for"] = lasting
        rule["labels"] = {"severity": self.severity, "team": "pytake"}
        rule["annotations"] = {
            "summary": self.summary,
            "description": self.description,
            "runbook_url": f"docs/runbooks/{self.name}.md",
            "dashboard_url": f"/d/{self.board}",
        }
        return rule


def as_written(duration: str, is_for: bool) -> str:
    """The durations of production."""
    return duration


def shortened(duration: str, is_for: bool) -> str:
    """Durations for a test that cannot wait: the same rules, a thirtieth of the time.

    Windows stay between 8 and 30 s (a scrape a second is assumed), `for` below 3 s.
    """
    seconds = seconds_of(duration)
    if is_for:
        return f"{min(3, seconds // 30)}s"
    return f"{min(30, max(8, seconds // 30))}s"


def seconds_of(duration: str) -> int:
    """Return how long `5m` is.

    Raises:
        ValueError: It is not a number and a unit.
    """
    match = DURATION.fullmatch(duration)
    if match is None:
        raise ValueError(f"not a duration: {duration!r}")
    return int(match[1]) * _SECONDS[match[2]]


def _with_durations(expr: str, durations: Durations) -> str:
    return _RANGE.sub(lambda found: f"[{durations(found[1], False)}]", " ".join(expr.split()))
