"""Where alerts go, and which of them keep quiet because another one tells the cause.

Routes are asked of amtool; inhibition is asked of a running Alertmanager, which amtool cannot do.
"""

import json
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from grafana.alerts import ALERTS

CONFIG = Path(__file__).parents[3] / "grafana/alertmanager.yaml"
RECEIVERS = {"critical": "page", "warning": "tickets", "info": "dashboard"}


def amtool(*arguments: str) -> str:
    done = subprocess.run(
        ["amtool", *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_amtool_accepts_the_example() -> None:
    assert "SUCCESS" in amtool("check-config", str(CONFIG))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_severity_decides_who_hears_of_it(alert) -> None:
    route = amtool(
        "config",
        "routes",
        "test",
        f"--config.file={CONFIG}",
        f"--verify.receivers={RECEIVERS[alert.severity]}",
        f"alertname={alert.name}",
        f"severity={alert.severity}",
        "team=pytake",
    )
    assert route.strip() == RECEIVERS[alert.severity]


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [
            "prometheus-alertmanager",
            f"--config.file={CONFIG}",
            f"--storage.path={tmp_path_factory.mktemp('alertmanager')}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--cluster.listen-address=",
        ],
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_until(lambda: _get(f"{address}/-/ready") is not None)
        yield address
    finally:
        process.terminate()
        process.wait(timeout=10)


def test_the_cause_is_told_and_its_consequences_are_not(alertmanager: str) -> None:
    ends = (datetime.now(UTC) + timedelta(minutes=5)).isoformat()
    raised = ["PytakeBrokerDown", "PytakeDeliverySloBurnFast", "PytakeRelayUnheard"]
    unrelated = ["PytakeAuthErrorRatio"]
    _post(
        f"{alertmanager}/api/v2/alerts",
        [
            {"labels": {"alertname": name, "namespace": "chat", "team": "pytake"}, "endsAt": ends}
            for name in raised + unrelated
        ]
        # The same consequence elsewhere has another cause.
        + [{"labels": {"alertname": raised[1], "namespace": "other"}, "endsAt": ends}],
    )

    def active() -> set[tuple[str, str]]:
        alerts: list[dict[str, Any]] = json.loads(
            _get(f"{alertmanager}/api/v2/alerts?inhibited=false") or "[]"
        )
        return {(one["labels"]["alertname"], one["labels"]["namespace"]) for one in alerts}

    expected = {
        ("PytakeBrokerDown", "chat"),
        ("PytakeAuthErrorRatio", "chat"),
        ("PytakeDeliverySloBurnFast", "other"),
    }
    _wait_until(lambda: active() == expected)


def _wait_until(condition: Callable[[], bool], seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def _get(url: str) -> str | None:
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:  # noqa: S310 - loopback
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return None


def _post(url: str, body: object) -> None:
    request = urllib.request.Request(  # noqa: S310 - loopback
        url, json.dumps(body).encode(), {"content-type": "application/json"}
    )
    urllib.request.urlopen(request, timeout=5).close()  # noqa: S310 - loopback
