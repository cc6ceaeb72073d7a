"""Every fault at 5 %, the short form: nothing missing, nothing twice, nothing out of order."""

from __future__ import annotations

from pathlib import Path

import pytest

from channel.oracle_run import Outcome, Plan, Talk

pytestmark = pytest.mark.integration

SHORT = Plan(messages=200, customers=10, seed=7, large_body_probability=0.005)


@pytest.fixture(scope="module")
async def outcome(tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    folder: Path = tmp_path_factory.mktemp("oracle")
    return await Talk(SHORT, folder).run()


async def test_nothing_is_missing_twice_or_out_of_order(outcome: Outcome) -> None:
    assert outcome.verdict.is_clean, outcome.verdict.examples
    assert outcome.asked == 100
    assert outcome.counts["written"] >= 110
