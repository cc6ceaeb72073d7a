"""Every query that we ship, as Prometheus can take it: of panels, annotations and rules."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import promql_parser
import yaml

GENERATED = Path(__file__).parents[3] / "grafana/generated"
EXTERNAL = frozenset(
    {
        "certmanager_certificate_expiration_timestamp_seconds",
        "probe_ssl_earliest_cert_expiry",
    }
)
"""Figures of other programs, which a cluster of ours does not have."""

PROCESS = frozenset(
    {
        "up",
        "ALERTS",
        "process_cpu_seconds_total",
        "process_resident_memory_bytes",
        "process_open_fds",
        "process_max_fds",
    }
)
"""Figures of Prometheus itself, and of prometheus_client about the process."""


@dataclass(frozen=True, slots=True)
class Query:
    """`where` names the board and the panel, or the rule."""

    where: str
    expr: str

    def filled(self, rate_interval: str = "1m") -> str:
        """Return it as Grafana sends it with all variables at *All*."""
        expr = self.expr.replace("$__rate_interval", rate_interval)
        return re.sub(r"\$(cluster|namespace|job|pod)\b", ".*", expr)


@dataclass(frozen=True, slots=True)
class Selector:
    """A metric in a query, with (label, operator, value) of its matchers."""

    metric: str
    matchers: tuple[tuple[str, str, str], ...]


def boards() -> dict[str, dict[str, Any]]:
    """Return the generated dashboards by uid."""
    found = [json.loads(path.read_text()) for path in sorted(GENERATED.glob("*.json"))]
    return {one["uid"]: one for one in found}


def panels(board: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the panels of a board that are no rows, also those inside rows."""
    for panel in board["panels"]:
        if panel["type"] != "row":
            yield panel
        yield from (inner for inner in panel.get("panels", ()) if inner["type"] != "row")


def panel_queries() -> Iterator[Query]:
    for uid, board in boards().items():
        for panel in panels(board):
            for target in panel["targets"]:
                yield Query(f"{uid} / {panel['title']} / {target['refId']}", target["expr"])


def annotation_queries() -> Iterator[Query]:
    for uid, board in boards().items():
        for annotation in board["annotations"]["list"]:
            if "expr" in annotation:
                yield Query(f"{uid} / annotation {annotation['name']}", annotation["expr"])


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((GENERATED / "rules.yaml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def rule_queries() -> Iterator[Query]:
    for rule in rules():
        yield Query(rule.get("alert") or rule["record"], rule["expr"])


def selectors(query: Query) -> list[Selector]:
    """Return every metric that the query names."""
    found: list[Selector] = []

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            matchers = tuple((m.name, str(m.op), m.value) for m in node.matchers.matchers)
            found.append(Selector(node.name or "", matchers))

    promql_parser.walk(promql_parser.parse(query.filled()), visit)
    return found
