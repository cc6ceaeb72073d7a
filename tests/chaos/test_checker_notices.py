"""With one promise switched off, the checker reports a violation: each of the three."""

import re

import pytest

from chaos.run import run_scenario
from chaos.scenarios import SABOTAGED

WORDS = {
    # The hole may be the first thing that a reader missed.
    "hole-check": r"jumped from|began at #\d+, joined at #0",
    "unique-key": "is stored 2 times",
    "fence": "left open after its successor",
}


@pytest.mark.chaos
@pytest.mark.timeout(180)
@pytest.mark.parametrize("promise", SABOTAGED)
async def test_a_broken_promise_is_reported(promise: str) -> None:
    report = await run_scenario(SABOTAGED[promise], seed=3)

    words = re.compile(WORDS[promise])
    assert any(words.search(violation) for violation in report.violations), report.violations
