"""Every fault at 5 %, the short form: nothing missing, nothing twice, nothing out of order."""

from __future__ import annotations

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
