"""Every fault at 5 %, the short form: nothing missing, nothing twice, nothing out of order."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from channel.oracle_run import Plan, Talk
from cluster.waiting import scaled

pytestmark = [pytest.mark.integration, pytest.mark.timeout(scaled(240))]

SHORT = Plan(messages=200, customers=10, seed=7, large_body_probability=0.005)


async def test_with_every_fault_on_nothing_is_missing_twice_or_out_of_order(
    tmp_path: Path,
) -> None:
    outcome = await Talk(SHORT, tmp_path).run()

    assert outcome.verdict.is_clean, outcome.verdict.examples
    assert outcome.accepted_forgeries == 0
    assert outcome.given_up == 0
    assert outcome.asked == 100
    assert outcome.counts["written"] >= 110
    assert outcome.quarantined > 0


TINY = Plan(messages=40, customers=4, seed=11, large_body_probability=0)


async def test_the_same_seed_gives_the_same_run(tmp_path: Path) -> None:
    """Our ids and the order of things differ each time; what happens to whom does not."""
    runs = []
    for number, seed in enumerate((11, 11, 12)):
        folder = tmp_path / str(number)
        folder.mkdir()
        runs.append(await Talk(replace(TINY, seed=seed), folder).run())

    assert runs[0].counts == runs[1].counts
    assert runs[0].fingerprint == runs[1].fingerprint
    assert runs[2].fingerprint != runs[0].fingerprint
