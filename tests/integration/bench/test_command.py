"""`pytake bench` as its user meets it: against a `pytake dev`, with the key in that folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cluster.pods import Pod, pod_environment
from cluster.waiting import scaled

pytestmark = pytest.mark.integration

PYTAKE = Path(sys.executable).parent / "pytake"


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pod]:
    folder = tmp_path_factory.mktemp("dev")
    process = Pod("api", "dev", folder, {"PYTAKE_DEMO": "off"})
    process.command[1:] = ["dev"]
    process.start()
    try:
        process.wait_until_serving()
        yield process
    finally:
        process.stop()


def bench(dev: Pod, *words: str) -> subprocess.CompletedProcess[str]:
    """Run it in the folder of the server, where the made-up key is."""
    return subprocess.run(
        [PYTAKE, "bench", *words],
        env=pod_environment({}),
        cwd=dev.folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=scaled(90),
    )


def measured(dev: Pod, scenario: str, *words: str) -> dict[str, Any]:
    assert dev.folder is not None
    done = bench(
        dev, scenario, "--url", dev.address, "--json", "out.json", "--warm-up", "0.3", *words
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((dev.folder / "out.json").read_text())
    return found


SHORT = ("--seconds", "1.5", "--repetitions", "2")


def test_messages_are_posted_at_a_rate_and_reach_every_screen(dev: Pod) -> None:
    found = measured(dev, "latency", "-n", "40", "--rooms", "10", "-r", "10", *SHORT)

    assert found["generator"] == "C"
    for repetition in found["repetitions"]:
        assert repetition["known"][0]["published"] >= 14
        assert repetition["known"][0]["missing"] == 0
        assert repetition["counts"]["own_deliveries"] == repetition["known"][0]["expected"]
        # The server was found by its port, and read.
        assert repetition["server"]["pytake dev"]["cpu_seconds"] > 0
    assert found["medians"]["p50_ms"]["median"] > 0


@pytest.mark.parametrize("engine", ["c", "python"])
def test_both_generators_serve(dev: Pod, engine: str) -> None:
    found = measured(
        dev, "inbound", "-n", "20", "--rooms", "5", "-r", "50", "--engine", engine, *SHORT
    )

    assert found["medians"]["per_second"]["median"] == pytest.approx(50, rel=0.2)
    said = [each for each in found["warnings"] if "in Python" in each]
    assert bool(said) == (engine == "python")


def test_two_processes_share_the_work(dev: Pod) -> None:
    found = measured(
        dev, "fanout", "-n", "20", "--rooms", "2", "--processes", "2", "--window", "2", *SHORT
    )

    assert found["processes"] == 2
    assert all(len(each["known"]) == 2 for each in found["repetitions"])
    assert all(known["published"] for each in found["repetitions"] for known in each["known"])


def test_everybody_comes_in_and_memory_is_read_at_rest(dev: Pod) -> None:
    found = measured(dev, "connect", "-n", "100", "--rooms", "20", "--repetitions", "2")

    assert found["repetitions"][0]["ready"] == 100
    assert "server_kb_per_connection" in found["medians"]


def test_everybody_comes_back_after_a_storm(dev: Pod) -> None:
    found = measured(dev, "storm", "-n", "100", "--rooms", "20", "--repetitions", "1")

    known = found["repetitions"][0]["known"][0]
    assert len(known["returned"]) == 100
    assert found["medians"]["back_all_seconds"]["median"] == max(known["returned"])


def test_agents_work_a_day_with_typing_visits_and_broken_connections(dev: Pod) -> None:
    found = measured(
        dev, "mixed", "-n", "30", "--rooms", "10", "-r", "20", "--churn", "10",
        "--seconds", "4", "--repetitions", "1",
    )  # fmt: skip

    known = found["repetitions"][0]["known"][0]
    assert {"published", "typed", "visited", "broken"} <= known.keys()
    assert found["repetitions"][0]["counts"]["errors"] == 0


def test_ctrl_c_leaves_what_was_measured_until_then(dev: Pod) -> None:
    assert dev.folder is not None
    words = ["latency", "-n", "10", "--rooms", "5", "-r", "10", "--seconds", "60"]
    process = subprocess.Popen(
        [PYTAKE, "bench", *words, "--url", dev.address, "--warm-up", "0", "--json", "cut.json",
         "--html", "cut.html"],
        env=pod_environment({}), cwd=dev.folder, stderr=subprocess.PIPE, text=True,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        deadline = time.monotonic() + scaled(30)
        while "deliveries/s" not in process.stderr.readline():
            assert time.monotonic() < deadline
        os.kill(process.pid, signal.SIGINT)
        output, _ = process.communicate(timeout=scaled(20))
    finally:
        process.kill()

    assert process.returncode == 0
    assert "stopped early" in output
    found = json.loads((dev.folder / "cut.json").read_text())
    assert found["is_partial"] is True
    assert found["repetitions"][0]["counts"]["deliveries"] > 0
    assert "<svg" in (dev.folder / "cut.html").read_text()


def test_polling_is_set_against_the_socket(dev: Pod) -> None:
    done = bench(
        dev, "seed-table", "--url", dev.address, "-n", "6", "--rooms", "3", "-r", "2",
        "--seconds", "6",
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    cells = {
        row.split("|")[1].strip(): [cell.strip() for cell in row.split("|")[2:4]]
        for row in done.stdout.splitlines()
        if row.startswith("|")
    }
    assert cells["messages seen, of those written"] == ["24 of 24", "24 of 24"]
    polled, pushed = (float(c.split()[0].replace(",", "")) for c in cells["latency p50"])
    assert polled > 10 * pushed
    assert float(cells["HTTP requests a minute and page"][1]) == 0


def test_mistakes_are_one_line(dev: Pod) -> None:
    wrong_key = subprocess.run(
        [PYTAKE, "bench", "latency", "--url", dev.address],
        env=pod_environment({"PYTAKE_JWT_SECRET": "another secret of 32 bytes or more"}),
        cwd=dev.folder, capture_output=True, text=True, check=False, timeout=scaled(30),
    )  # fmt: skip
    nobody = bench(dev, "connect", "--url", "http://127.0.0.1:1")
    no_url = bench(dev, "connect", "--url", "ftp://x")

    assert wrong_key.returncode == nobody.returncode == no_url.returncode == 1
    assert wrong_key.stderr.startswith("nothing was measured: 401 to a new conversation")
    assert nobody.stderr.count("\n") == no_url.stderr.count("\n") == 1
