"""The short seeded mix of `make test`; `make chaos` has the long ones."""

import pytest

from chaos.run import run_scenario
from chaos.scenarios import SHORT_LOAD, Scenario, short_mix


@pytest.mark.integration
@pytest.mark.timeout(300)  # above all deadlines of the run, which say what is missing
async def test_nothing_is_lost_doubled_or_reordered_in_a_short_mix() -> None:
    scenario = Scenario("short mix", short_mix, SHORT_LOAD)

    report = await run_scenario(scenario, seed=7, patience_seconds=50)

    assert report.violations == []
    assert report.delivered > report.sent > 100
