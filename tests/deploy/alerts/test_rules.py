"""Every alert fires when it should and is silent when something merely looks alike."""

import subprocess
from pathlib import Path

import pytest
import yaml

from deploy.alerts.cases import CASES, Case, Series
from grafana.alerts import ALERTS, rule_file
from grafana.alerts.rule import seconds_of, shortened

ROOT = Path(__file__).parents[3]
RULES = ROOT / "grafana/generated/rules.yaml"
RUNBOOKS = ROOT / "docs/runbooks"


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def rule_test(case: Case, series: Series, expected: list[dict[str, object]]) -> dict[str, object]:
    return {
        "name": case.alert,
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": f'max(ALERTS{{alertname="{case.alert}",alertstate="firing"}})',
                "eval_time": f"{case.at}m",
                "exp_samples": expected,
            }
        ],
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.alert)
def test_alert_fires_and_is_silent(case: Case, tmp_path) -> None:
    tests = tmp_path / "tests.yaml"
    tests.write_text(
        yaml.safe_dump(
            {
                "rule_files": [str(RULES)],
                # Without an order promtool takes the groups as they come; alerts that are judged
                # before their records see none younger than Prometheus looks back.
                "group_eval_order": [group["name"] for group in rule_file()["groups"]],
                # A case of two days need not be judged every minute.
                "evaluation_interval": "1m" if case.at < 300 else "15m",
                "tests": [
                    rule_test(case, case.fires, [{"labels": "{}", "value": 1}]),
                    rule_test(case, case.silent, []),
                ],
            }
        )
    )

    done = promtool("test", "rules", tests)

    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_has_a_case_and_every_case_an_alert() -> None:
    assert sorted(case.alert for case in CASES) == sorted(alert.name for alert in ALERTS)
    assert len(ALERTS) >= 20


def test_promtool_accepts_the_rules_and_their_short_form(tmp_path) -> None:
    short = tmp_path / "short.yaml"
    short.write_text(yaml.safe_dump(rule_file(shortened)))

    for rules in (RULES, short):
        done = promtool("check", "rules", rules)
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_short_form_differs_in_durations_alone() -> None:
    usual, short = rule_file(), rule_file(shortened)

    for group, short_group in zip(usual["groups"], short["groups"], strict=True):
        for rule, short_rule in zip(group["rules"], short_group["rules"], strict=True):
            assert short_rule.keys() <= rule.keys()
            assert short_rule.get("annotations") == rule.get("annotations")
            assert seconds_of(short_rule.get("for", "0s")) <= seconds_of(rule.get("for", "0s"))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_has_a_runbook_that_says_what_to_do(alert) -> None:
    page = RUNBOOKS / f"{alert.name}.md"
    text = page.read_text()

    assert text.startswith(f"# {alert.name}\n")
    for heading in ("## What it means", "## How to check", "## What to do"):
        assert heading in text


def test_no_runbook_is_left_of_an_alert_that_is_gone() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("Pytake*.md")}
    assert pages == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_every_alert_says_who_where_and_what(alert) -> None:
    assert alert.summary.endswith(".")
    assert alert.description.endswith(".")
    assert (ROOT / f"grafana/generated/{alert.board}.json").is_file()
