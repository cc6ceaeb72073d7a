"""Code, documentation, dashboards and rules speak of the same metrics, and are up to date."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.dashboards.queries import (
    EXTERNAL,
    PROCESS,
    annotation_queries,
    boards,
    panel_queries,
    panels,
    rule_queries,
    rules,
    selectors,
)
from grafana import thresholds
from grafana.generate import files
from pytake.observability.instruments import Description
from pytake.observability.metrics import Metrics

ROOT = Path(__file__).parents[3]
TARGET_LABELS = {"cluster", "namespace", "job", "pod", "instance", "component"}
ALL_QUERIES = [*panel_queries(), *annotation_queries(), *rule_queries()]


def declared() -> dict[str, Description]:
    """Every name that a query may use, with the metric that it belongs to."""
    names: dict[str, Description] = {}
    for one in Metrics().descriptions:
        names[one.name] = one
        if one.kind == "histogram":
            names |= {f"{one.name}{suffix}": one for suffix in ("_bucket", "_sum", "_count")}
    return names


DECLARED = declared()
RECORDS = {rule["record"] for rule in rules() if "record" in rule}


@pytest.mark.parametrize("query", ALL_QUERIES, ids=lambda query: query.where)
def test_queries_name_declared_metrics_labels_and_values(query) -> None:
    found = selectors(query)

    assert found
    for selector in found:
        known = DECLARED.get(selector.metric)
        if known is None:
            assert selector.metric in PROCESS | EXTERNAL | RECORDS, selector.metric
            continue
        for label, operator, value in selector.matchers:
            if label in TARGET_LABELS or (label == "le" and known.buckets):
                continue
            assert label in known.labels, f"{selector.metric} has no label {label}"
            if operator.endswith(("Equal", "NotEqual")):
                assert value in known.labels[label], f"{label} is never {value!r}"
            else:
                assert set(value.split("|")) <= set(known.labels[label]), value


def test_histograms_are_asked_at_their_own_edges() -> None:
    for query in ALL_QUERIES:
        for selector in selectors(query):
            for label, _, value in selector.matchers:
                if label == "le" and value != ".*":
                    assert float(value) in DECLARED[selector.metric].buckets, query.where


def test_every_declared_metric_is_on_a_board() -> None:
    shown = {
        DECLARED[selector.metric].name
        for query in panel_queries()
        for selector in selectors(query)
        if selector.metric in DECLARED
    }

    # The seed's gauge repeats another metric under its old name.
    assert {one.name for one in DECLARED.values()} - shown == {"websocket_connections"}


def test_every_declared_metric_is_documented_and_no_other() -> None:
    page = (ROOT / "docs/metrics.md").read_text()

    assert set(re.findall(r"^\| `(\w+)`", page, re.MULTILINE)) == {
        one.name for one in DECLARED.values()
    }


@pytest.mark.parametrize(
    "page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda page: str(page.relative_to(ROOT))
)
def test_pages_name_no_metric_that_is_gone(page: Path) -> None:
    named = re.findall(r"`(pytake_[a-z_]+)(?=[`{\[])", page.read_text())

    assert set(named) <= DECLARED.keys()


def test_generated_files_are_current() -> None:
    for path, text in files():
        assert path.read_text() == text, f"{path.relative_to(ROOT)}: run `make dashboards`"


def test_generating_twice_gives_the_same() -> None:
    script = "from grafana.generate import files; import sys; sys.stdout.write(str(list(files())))"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", script],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
            cwd=ROOT,
            env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


@pytest.mark.parametrize("uid", sorted(boards()))
def test_panels_ask_a_question_and_say_what_they_show(uid) -> None:
    titles = []
    for panel in panels(boards()[uid]):
        titles.append(panel["title"])
        assert panel["title"].endswith("?"), panel["title"]
        assert panel["description"], panel["title"]
        if panel["type"] != "heatmap":
            assert panel["fieldConfig"]["defaults"]["unit"], panel["title"]
    assert len(titles) == len(set(titles))


def test_limits_on_panels_are_limits_of_alerts() -> None:
    limits = {value for value in vars(thresholds).values() if isinstance(value, int | float)}
    limits |= {factor for _, _, factor, _, _ in thresholds.BURN_RATES}
    limits |= {1 - thresholds.ERROR_BUDGET, 0, 1}  # the objective; nothing, and anything at all
    for uid, board in boards().items():
        for panel in panels(board):
            defaults = panel.get("fieldConfig", {}).get("defaults", {})
            steps = defaults.get("thresholds", {}).get("steps", [])
            for step in steps:
                if step["value"] is not None:
                    assert step["value"] in limits, (uid, panel["title"], step)


def test_boards_link_to_one_another() -> None:
    uids = set(boards())
    for uid, board in boards().items():
        assert {link["url"].removeprefix("/d/") for link in board["links"]} == uids - {uid}
