"""Coverage-guided fuzzing: a pod of the gateway, and every parser of what comes from outside.

Beside the random frames of test_transport_fuzz.py, which run against real sockets. The short
form runs with `make test`, a million frames with `make full`.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest

from cluster.waiting import scaled

pytest.importorskip("atheris", reason="atheris has wheels for x86-64 alone")

TESTS = Path(__file__).parents[1]


@pytest.mark.parametrize("target", ["gateway", "payloads"])
@pytest.mark.parametrize(
    "frames",
    [
        10_000,
        pytest.param(1_000_000, marks=(pytest.mark.full, pytest.mark.timeout(5400))),
    ],
)
async def test_whatever_comes_in_is_answered_and_nothing_is_left_of_it(
    target: str, frames: int
) -> None:
    """No unhandled exception, no connection or room that stays, no flood of log lines."""
    fuzzing = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fuzz", target, "--frames", str(frames)),
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(scaled(100) if frames < 100_000 else None):
        output, _ = await fuzzing.communicate()
    lines = output.decode(errors="replace").splitlines()
    said = "\n".join(line for line in lines if not line.startswith("INFO: Instrumenting"))

    assert fuzzing.returncode == 0, said[-6000:]
    done = next(line for line in lines if " frames in " in line)
    print(done)
    assert int(done.split()[0]) >= frames
