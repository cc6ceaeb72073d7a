"""How fast the webhook answers at 500 deliveries a second, and how soon they are worked off.

    python tests/load/webhook_rate.py                     # 500/s for 30 s, with a relay
    python tests/load/webhook_rate.py --seconds 5 --no-relay

An API process and a relay on PostgreSQL and Redis. Deliveries are posted at a fixed rate that
does not wait for answers: two statuses for each message, as after a busy hour. Prints the
figures and exits 1 when a promise is broken.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import hashlib
import hmac
import json
import sys
import time
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.pods import Pod, run_pytake
from cluster.postgres_server import PostgresServer
from cluster.programs import Program, temporary_folder
from cluster.redis_server import RedisServer

P99_TARGET_SECONDS = 0.05
APP_SECRET = "app secret"
CUSTOMERS = 200


def delivery(number: int) -> bytes:
    """One body: a message of a customer, or a status of a message that is not ours."""
    value: dict[str, Any] = {"metadata": {"phone_number_id": "1065"}}
    if number % 3 == 0:
        phone = f"55119{80_000_000 + number % CUSTOMERS}"
        text = {"id": f"wamid.{number}", "from": phone, "type": "text", "text": {"body": "Olá 😊"}}
        value["messages"] = [text | {"timestamp": str(int(time.time()))}]
    else:
        status = {"id": f"wamid.out.{number}", "status": "delivered"}
        value["statuses"] = [status | {"timestamp": str(int(time.time()))}]
    entry = {"id": "1", "changes": [{"field": "messages", "value": value}]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


def signed(number: int) -> tuple[bytes, dict[str, str]]:
    """A delivery with its signature."""
    body = delivery(number)
    digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
    return body, {"X-Hub-Signature-256": f"sha256={digest}"}


async def post_all(url: str, rate: float, seconds: float) -> tuple[list[float], Counter[int]]:
    """Post at the rate, from the moment each is due to its answer."""
    # Made before the clock runs: what the sender costs is no part of the answer.
    deliveries = [signed(number) for number in range(int(rate * seconds))]
    gc.collect()
    gc.freeze()
    gc.disable()
    latencies: list[float] = []
    statuses: Counter[int] = Counter()
    loop = asyncio.get_running_loop()
    connector = aiohttp.TCPConnector(limit=200)
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post(number: int, due: float) -> None:
            body, headers = deliveries[number]
            async with session.post(url, data=body, headers=headers) as answer:
                await answer.read()
                statuses[answer.status] += 1
            latencies.append(loop.time() - due)

        began = loop.time()
        async with asyncio.TaskGroup() as group:
            for number in range(len(deliveries)):
                due = began + number / rate
                await asyncio.sleep(max(0.0, due - loop.time()))
                group.create_task(post(number, due))
    return sorted(latencies), statuses


def percentile(latencies: list[float], share: float) -> float:
    return latencies[min(len(latencies) - 1, int(len(latencies) * share))]


def start(stack: ExitStack, program: Program) -> None:
    program.start()
    stack.callback(program.kill)
    program.wait_until_serving(60)


def backlog_of(relay: Pod) -> float:
    line = next(x for x in relay.metrics().splitlines() if x.startswith("pytake_webhook_backlog"))
    return float(line.split()[-1])


def run(rate: float, seconds: float, has_relay: bool) -> bool:
    folder = temporary_folder("webhook-rate")
    with ExitStack() as stack:
        postgres, redis = PostgresServer(folder, durable=True), RedisServer(folder)
        start(stack, postgres)
        start(stack, redis)
        database = postgres.create_database()
        settings = {
            "PYTAKE_DATABASE_URL": postgres.database_url(database, driver="postgresql+asyncpg"),
            "PYTAKE_REDIS_URL": redis.url,
            "PYTAKE_JWT_SECRET": "a secret of thirty-two bytes or so",
            "PYTAKE_MEDIA_URL": f"file:{folder / 'media'}",
            "PYTAKE_WHATSAPP_APP_SECRET": APP_SECRET,
            "PYTAKE_WHATSAPP_ACCESS_TOKEN": "token",
            "PYTAKE_WHATSAPP_PHONE_NUMBER_ID": "1065",
            "PYTAKE_WHATSAPP_API_URL": "http://127.0.0.1:9",
        }
        run_pytake("migrate", settings=settings, folder=folder)
        run_pytake("create", "organization", "Loja", settings=settings, folder=folder)
        api = Pod("api", "api", folder, settings)
        relay = Pod("relay", "relay", folder, settings)
        start(stack, api)
        if has_relay:
            start(stack, relay)
        url = f"{api.address}/api/v1/webhooks/whatsapp"
        uvloop.run(post_all(url, 50, 2))  # warm
        process = psutil.Process(api.pid)
        before = sum(process.cpu_times()[:2])
        latencies, statuses = uvloop.run(post_all(url, rate, seconds))
        cpu = sum(process.cpu_times()[:2]) - before
        ended = time.monotonic()
        p50, p99 = percentile(latencies, 0.5), percentile(latencies, 0.99)
        print(f"{len(latencies)} deliveries at {rate:g}/s, answers {dict(statuses)}")
        print(f"due to answered: p50 {p50 * 1000:.1f} ms, p99 {p99 * 1000:.1f} ms, ", end="")
        print(f"longest {latencies[-1] * 1000:.1f} ms")
        print(f"CPU of the API process: {cpu / len(latencies) * 1000:.2f} ms a delivery")
        if has_relay:
            while backlog_of(relay) and time.monotonic() - ended < 300:
                time.sleep(0.5)
            print(f"worked off {time.monotonic() - ended:.1f} s after the last one")
    return p99 < P99_TARGET_SECONDS and set(statuses) == {200}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=float, default=500)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--no-relay", action="store_true")
    given = parser.parse_args()
    return 0 if run(given.rate, given.seconds, not given.no_relay) else 1


if __name__ == "__main__":
    sys.exit(main())
