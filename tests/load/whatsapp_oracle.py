"""100,000 messages with every fault at 5 %: does the oracle find anything wrong?

    python tests/load/whatsapp_oracle.py                      # the size that the issue names
    python tests/load/whatsapp_oracle.py --messages 5000
    python tests/load/whatsapp_oracle.py --postgres --seconds 180   # as many as come in that time

Prints the figures and exits 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from channel.oracle_run import Outcome, Plan, Talk
from cluster.postgres_server import PostgresServer
from cluster.programs import temporary_folder
from pytake.observability import logs


def show(outcome: Outcome) -> None:
    verdict = outcome.verdict.counts()
    print(f"{outcome.seconds:.0f} s, {outcome.posts} deliveries posted")
    for name, figure in (outcome.counts | {"agents wrote": outcome.asked}).items():
        print(f"  {name:16} {figure}")
    print(f"  watched events   {outcome.watched_events}")
    forged = f"{outcome.refused_forgeries} refused, {outcome.accepted_forgeries} taken"
    print(f"  forged           {forged}")
    print(f"  given up         {outcome.given_up}")
    print(f"  fingerprint      {outcome.fingerprint}")
    print("verdict")
    for name, figure in verdict.items():
        print(f"  {name:16} {figure}")
    for example in outcome.verdict.examples:
        print("   ", example)


def _postgres(stack: ExitStack) -> str:
    server = PostgresServer(temporary_folder("oracle-postgres"))
    server.start()
    stack.callback(server.stop)
    server.wait_until_serving()
    return server.database_url(server.create_database(), driver="postgresql+asyncpg")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=100_000)
    parser.add_argument("--customers", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=float, default=0.05)
    parser.add_argument("--large", type=float, default=0.0005, help="share of 3 MB bodies")
    parser.add_argument("--seconds", type=float, help="end the talk after so long")
    parser.add_argument("--postgres", action="store_true", help="on PostgreSQL, not SQLite")
    given = parser.parse_args()
    plan = Plan(
        messages=given.messages,
        customers=given.customers,
        seed=given.seed,
        fault_probability=given.faults,
        large_body_probability=given.large,
        seconds=given.seconds,
    )
    logs.configure("oracle", level="error")
    print(asdict(plan))
    with tempfile.TemporaryDirectory(prefix="pytake-oracle-") as folder, ExitStack() as stack:
        url = _postgres(stack) if given.postgres else None
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            outcome = runner.run(Talk(plan, Path(folder), url).run())
    show(outcome)
    is_clean = outcome.verdict.is_clean and not outcome.accepted_forgeries and not outcome.given_up
    return 0 if is_clean else 1


if __name__ == "__main__":
    sys.exit(main())
