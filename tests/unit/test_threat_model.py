"""docs/threat-model.md names a test for each threat; each of them must exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "threat-model.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)))


@pytest.mark.parametrize(("file", "test"), NAMED, ids=[test for _, test in NAMED])
def test_the_test_that_holds_the_line_exists(file: str, test: str) -> None:
    source = (ROOT / file).read_text()

    assert re.search(rf"^(?:async )?def {test}\(", source, re.MULTILINE)


def test_every_threat_names_a_test() -> None:
    rows = [line for line in PAGE.splitlines() if line.startswith("| ")]
    threats = [row for row in rows if not row.startswith("| threat |")]

    assert len(threats) > 30
    assert all("::" in row for row in threats)
