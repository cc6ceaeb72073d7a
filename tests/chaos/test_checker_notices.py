"""With one promise switched off, the checker reports a violation: each of the three."""

import pytest

from chaos.run import run_scenario
from chaos.scenarios import SABOTAGED

WORDS = {
    "hole-check": "jumped from",
    "unique-key": "is stored 2 times",
    "fence": "left open after its successor",
}


@pytest.mark.chaos
@pytest.mark.timeout(180)
@pytest.mark.parametrize("promise", SABOTAGED)
async def test_a_broken_promise_is_reported(promise: str) -> None:
    report = await run_scenario(SABOTAGED[promise], seed=3)

    assert any(WORDS[promise] in violation for violation in report.violations), report.violations
