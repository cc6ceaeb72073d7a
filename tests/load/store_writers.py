"""Fifty writers of one conversation, and what everybody else notices of them.

    .venv/bin/python tests/load/store_writers.py [--seconds 10] [--writers 50] [--others 10]

Starts a PostgreSQL that keeps what it commits (`fsync` on), writes, and prints messages a
second and the latencies of the writers and of others who write to conversations of their
own ten times a second each. First the writers write at twice the rate that was asked for,
which is judged: exits 1 unless 300 messages a second or more are stored without a hole, with the
others' p99 below 20 ms. Then they write as fast as one process can, which tells how much room is
left; the latencies of that run are those of a process without a free moment.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

from cluster.pgbouncer_server import PgBouncerServer
from cluster.postgres_server import PostgresServer
from cluster.programs import temporary_folder
from pytake.domain.ids import ConversationId
from pytake.store import migrate, open_store
from pytake.store.store import utc_now
from store_world import HeldClock, World, make_world

WANTED_PER_SECOND = 300
WANTED_P99_MS = 20
PACED_PER_SECOND = 2 * WANTED_PER_SECOND
OTHERS_PER_SECOND = 10


class RealClock(HeldClock):
    """The system's clock, in the place of one that is held."""

    def __call__(self) -> object:  # type: ignore[override]
        return utc_now()


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]


async def write_on(
    world: World, conversation: ConversationId, until: float, pause: float
) -> list[float]:
    """Write a message every `pause` seconds, or as often as it can; return the milliseconds."""
    took = []
    while (began := time.perf_counter()) < until:
        await world.write("como posso ajudar?", conversation_id=conversation)
        spent = time.perf_counter() - began
        took.append(spent * 1000)
        if pause:
            await asyncio.sleep(max(0, pause - spent))
    return took


async def write_now_and_then(
    world: World, conversation: ConversationId, until: float, first: float
) -> list[float]:
    """Write ten times a second to a conversation of one's own."""
    took = []
    await asyncio.sleep(first)
    while (began := time.perf_counter()) < until:
        await world.write("tudo bem?", conversation_id=conversation)
        spent = time.perf_counter() - began
        took.append(spent * 1000)
        await asyncio.sleep(max(0, 1 / OTHERS_PER_SECOND - spent))
    return took


async def measure(url: str, arguments: argparse.Namespace, per_second: float | None) -> bool:
    """Write, print, and return whether the numbers are met."""
    pause = arguments.writers / per_second if per_second else 0.0
    clock = RealClock()
    async with open_store(url, clock=clock) as store:  # type: ignore[arg-type]
        world = await make_world(store, clock)
        others = [
            (await world.open(f"+55119800{number:05}")).conversation.id
            for number in range(arguments.others)
        ]
        for conversation in others:
            await world.write(conversation_id=conversation)
        until = time.perf_counter() + arguments.seconds
        results = await asyncio.gather(
            *(write_on(world, world.conversation, until, pause) for _ in range(arguments.writers)),
            *(
                write_now_and_then(world, other, until, number / 10 / len(others))
                for number, other in enumerate(others)
            ),
        )
        crowd = [took for result in results[: arguments.writers] for took in result]
        rest = [took for result in results[arguments.writers :] for took in result]
        head = await world.head()
        disagreements = await store.upkeep.check_integrity()
    rate = len(crowd) / arguments.seconds
    p99 = percentile(rest, 0.99) if rest else 0.0
    gapless = head == len(crowd) and not disagreements
    print(
        f"  one conversation: {rate:.0f}/s, p50 {percentile(crowd, 0.5):.1f} ms, "
        f"p99 {percentile(crowd, 0.99):.1f} ms, gapless: {gapless}"
    )
    if rest:
        print(
            f"  others: {len(rest) / arguments.seconds:.0f}/s, "
            f"p50 {percentile(rest, 0.5):.1f} ms, p99 {p99:.1f} ms"
        )
    return gapless and rate >= WANTED_PER_SECOND and p99 < WANTED_P99_MS


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--writers", type=int, default=50)
    parser.add_argument("--others", type=int, default=10)
    arguments = parser.parse_args()
    folder = temporary_folder("writers")
    postgres = PostgresServer(folder, durable=True)
    pgbouncer = PgBouncerServer(folder, postgres)
    is_met = True
    postgres.start()
    try:
        postgres.wait_until_serving()
        pgbouncer.start()
        pgbouncer.wait_until_serving()
        for name, server in (("PostgreSQL", postgres), ("through PgBouncer", pgbouncer)):
            url = server.database_url(postgres.create_database(), driver="postgresql+asyncpg")
            asyncio.run(migrate(url))
            print(f"{name}, {PACED_PER_SECOND} messages a second")
            is_met = asyncio.run(measure(url, arguments, PACED_PER_SECOND)) and is_met
            print(f"{name}, as fast as they can")
            asyncio.run(measure(url, arguments, None))
        print("SQLite")
        url = f"sqlite+aiosqlite:///{folder}/pytake.db"
        asyncio.run(migrate(url))
        alone = argparse.Namespace(**(vars(arguments) | {"others": 0}))
        asyncio.run(measure(url, alone, None))
    finally:
        pgbouncer.stop()
        postgres.stop()
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
