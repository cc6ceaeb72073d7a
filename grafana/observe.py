"""`make observe`: Prometheus on port 9099, with our rules, against what runs on this machine.

make observe                                          a running `pytake dev` on port 8000
make observe TARGETS="gateway=127.0.0.1:9091 api=…"    inner ports; `make cluster` prints them
"""

import argparse
import os
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from grafana import consoles
from grafana.alerts import rule_file
from grafana.alerts.rule import Durations, as_written

PORT = 9099
DEV = "dev=127.0.0.1:8000"


@dataclass(frozen=True, slots=True)
class Target:
    """A process to scrape: `component` is a label that the rules rely on, `pod` its name."""

    component: str
    pod: str
    address: str


def parse_targets(text: str) -> list[Target]:
    """Return the targets of `component=host:port …`; pods are numbered by component.

    Raises:
        ValueError: A part is not of that form.
    """
    seen: Counter[str] = Counter()
    targets = []
    for part in text.split():
        component, sign, address = part.partition("=")
        address = address.removeprefix("http://").rstrip("/")
        if not sign or component not in ("dev", "gateway", "api", "relay") or ":" not in address:
            raise ValueError(f"not component=host:port: {part!r}")
        seen[component] += 1
        targets.append(Target(component, f"{component}-{seen[component]}", address))
    return targets


def prometheus_files(
    targets: Sequence[Target],
    *,
    seconds: int = 5,
    durations: Durations = as_written,
) -> dict[str, str]:
    """Return configuration, rules and pages of a Prometheus that watches the targets.

    Args:
        targets: What to scrape, under `job="pytake"`.
        seconds: Between scrapes, and between evaluations of the rules.
        durations: As in `rule_file`; a test that cannot wait passes shorter ones.
    """
    config: dict[str, Any] = {
        "global": {
            "scrape_interval": f"{seconds}s",
            "scrape_timeout": f"{min(seconds, 5)}s",
            "evaluation_interval": f"{seconds}s",
        },
        "rule_files": ["rules.yaml"],
        "scrape_configs": [
            {
                "job_name": "pytake",
                "static_configs": [
                    {
                        "targets": [target.address],
                        "labels": {"component": target.component, "pod": target.pod},
                    }
                    for target in targets
                ],
            }
        ],
    }
    return {
        "prometheus.yaml": yaml.safe_dump(config, sort_keys=False),
        "rules.yaml": yaml.safe_dump(rule_file(durations), sort_keys=False),
    } | {f"consoles/{name}": text for name, text in consoles.pages()}


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write what `prometheus_files` returned, where `prometheus_command` looks for it."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


def prometheus_command(program: str, folder: Path, port: int) -> list[str]:
    """Return how to start Prometheus on the files in a folder."""
    return [
        program,
        f"--config.file={folder / 'prometheus.yaml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.console.templates={folder / 'consoles'}",
        f"--web.console.libraries={folder / 'consoles'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--enable-feature=exemplar-storage",
        "--log.level=warn",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", default=DEV)
    parser.add_argument("--port", type=int, default=PORT)
    options = parser.parse_args()
    try:
        targets = parse_targets(options.targets or DEV)
    except ValueError as error:
        parser.error(str(error))
    program = shutil.which("prometheus")
    if program is None:
        sys.exit("prometheus is not installed: make servers")
    folder = Path(tempfile.mkdtemp(prefix="pytake-observe-"))
    write_files(folder, prometheus_files(targets))
    base = f"http://127.0.0.1:{options.port}"
    one = targets[0].address
    print(f"\n  Boards    {base}/consoles/pytake-overview.html   figures and alerts, live")
    print(f"  Watching  {', '.join(f'{each.pod} ({each.address})' for each in targets)}")
    print(f"  One pod   http://{one}/status   live, as sparklines")
    print(f"  Queries   {base}/api/v1/query?query=pytake_connections")
    print(
        "  Grafana   import grafana/generated/*.json, with this address as data source\n",
        flush=True,
    )
    os.execv(program, prometheus_command(program, folder, options.port))  # noqa: S606


if __name__ == "__main__":
    main()
