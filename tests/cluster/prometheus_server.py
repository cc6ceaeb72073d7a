"""A Prometheus with our rules that watches pods of ours."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from cluster.pods import Pod
from cluster.programs import Program, find_program, free_port
from cluster.waiting import scaled
from grafana.alerts.rule import shortened
from grafana.observe import Target, prometheus_command, prometheus_files, write_files

SCRAPE_SECONDS = 1


class PrometheusServer(Program):
    """Scrapes every second, under rules whose durations are a thirtieth of the real ones
    (`grafana.alerts.rule.shortened`): expressions and thresholds are those of production."""

    def __init__(self, folder: Path, pods: Sequence[Pod]) -> None:
        self._home = folder / "prometheus"
        self._home.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        targets = [
            Target(pod.kind, pod.name, httpx.URL(pod.inner_address).netloc.decode()) for pod in pods
        ]
        files = prometheus_files(targets, seconds=SCRAPE_SECONDS, durations=shortened)
        write_files(self._home, files)
        command = prometheus_command(str(find_program("prometheus")), self._home, self.port)
        super().__init__("prometheus", command, folder / "prometheus.log")
        # One for all: making its TLS context costs more than a query.
        self._client = httpx.Client(base_url=self.url, timeout=scaled(10))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def is_serving(self) -> bool:
        try:
            return httpx.get(f"{self.url}/-/ready", timeout=scaled(2)).status_code == 200
        except httpx.TransportError:
            return False

    def kill(self) -> None:
        self._client.close()
        super().kill()

    def query(self, expr: str) -> list[dict[str, Any]]:
        """Return the samples of an instant query."""
        answer = self._client.get("/api/v1/query", params={"query": expr}).json()
        assert answer["status"] == "success", (expr, answer)
        result = answer["data"]["result"]
        return result if answer["data"]["resultType"] == "vector" else [{"value": result}]

    def page(self, path: str) -> str:
        """Return a page of its own."""
        return self._client.get(path).raise_for_status().text

    def figure(self, expr: str) -> float:
        """Return the one sample of an instant query."""
        (sample,) = self.query(expr)
        return float(sample["value"][1])

    def firing(self) -> dict[str, str]:
        """Return the alerts that fire, with their severity."""
        found = self.query('ALERTS{alertstate="firing"}')
        return {each["metric"]["alertname"]: each["metric"]["severity"] for each in found}

    def exemplars(self, expr: str, seconds: float) -> list[dict[str, Any]]:
        """Return the exemplars of the last seconds."""
        import time

        now = time.time()
        asked = {"query": expr, "start": str(now - seconds), "end": str(now)}
        answer = self._client.get("/api/v1/query_exemplars", params=asked).json()
        found: list[dict[str, Any]] = answer["data"]
        return found
