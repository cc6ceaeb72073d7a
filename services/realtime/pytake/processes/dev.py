"""`pytake dev`: everything in one process and one event loop, on one port.

API, gateway, relay, WhatsApp simulator and web inbox, on a SQLite file under `.pytake/`, with
the broker that lives in the process. The parts are those of the other processes, put together
without Redis; the simulator is reached by HTTP inside the process, as the real one would be
outside.

    /                    the inbox                /simulator           the simulator's phone
    /api/v1/…            the REST API             /metrics /livez …    the inner routes
    /socket.io           the gateway
"""

import sys
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import httpx

from pytake.domain.ids import OrganizationId
from pytake.observability import logs
from pytake.processes import demo, dev_key
from pytake.processes.clock import utc_now
from pytake.processes.demo_content import ACCOUNTS, PASSWORD, TALKS
from pytake.processes.server import Listener, serve
from pytake.processes.single import SIMULATOR_PATH, open_single
from pytake.processes.start import run, settings_or_exit
from pytake.settings import Settings
from pytake.simulator.app import Simulator, SimulatorOptions
from pytake.simulator.customers import Pace
from pytake.store import migrate, open_store
from pytake.tokens.passwords import Argon2Passwords

PHONE_NUMBER_ID = "106540352242922"


def run_dev(*, host: str | None, port: int | None, allow_remote: bool) -> None:
    """Serve until a signal. Exits 2 for bad settings or a host that others could reach."""
    given = {"host": host, "port": port}
    settings = settings_or_exit(
        "dev", **{name: value for name, value in given.items() if value is not None}
    )
    if not allow_remote and not _is_loopback(settings.host):
        print(
            f"PYTAKE_HOST: {settings.host} can be reached by others, and the demo accounts have a "
            "known password; give --allow-remote if that is meant",
            file=sys.stderr,
        )
        sys.exit(2)
    settings = dev_key.complete(settings)
    logs.configure("dev", level=settings.log_level)
    run(lambda: _main(settings))


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


async def _main(settings: Settings) -> None:
    _make_folder(settings.database_url)
    await migrate(settings.database_url)
    async with AsyncExitStack() as stack:
        store = await stack.enter_async_context(open_store(settings.database_url))
        organization = await _seed(settings)
        simulated = _simulator_options(settings)
        process = await stack.enter_async_context(
            open_single(settings, store, simulated, default_organization=organization)
        )
        if settings.demo != "off":
            await _introduce(process.simulator)
        await serve(
            "dev",
            Listener(process.app, settings.host, settings.port, process.options),
            drain=process.gateway.drain,
            background=process.works,
            on_listening=lambda address, _: _greet(address, settings),
        )


def _make_folder(database_url: str) -> None:
    scheme, _, path = database_url.partition(":///")
    if scheme.startswith("sqlite") and path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)


async def _seed(settings: Settings) -> OrganizationId | None:
    if settings.demo == "off":
        return None
    passwords = Argon2Passwords()
    try:
        return await demo.seed(
            settings.database_url,
            passwords.hash,
            phone_number_id=PHONE_NUMBER_ID,
            access_token=_secret(settings.whatsapp_access_token),
            now=utc_now(),
        )
    finally:
        passwords.close()


def _secret(value: Any) -> str:
    return str(value.get_secret_value())


def _greet(address: str, settings: Settings) -> None:
    """Say on the terminal where to go; the `listening` line is for machines."""
    if not sys.stderr.isatty():
        return
    lines = [f"\n  Inbox      http://{address}/"]
    if settings.demo != "off":
        accounts = ", ".join(email for email, _, _ in ACCOUNTS)
        lines.append(f"  Sign in    {accounts} (password: {PASSWORD})")
        lines.append(f"  Customers  http://{address}{SIMULATOR_PATH}/")
    print("\n".join(lines) + "\n", file=sys.stderr)


def _simulator_options(settings: Settings) -> SimulatorOptions:
    is_quiet = settings.demo != "on"
    return SimulatorOptions(
        webhook_url="http://pytake",
        app_secret=_secret(settings.whatsapp_app_secret),
        access_token=_secret(settings.whatsapp_access_token),
        verify_token=_secret(settings.whatsapp_verify_token),
        phone_number_id=PHONE_NUMBER_ID,
        pace=Pace(writes_every=None if is_quiet else 25.0),
    )


async def _introduce(simulator: Simulator) -> None:
    """Tell the simulator who the demo's customers are: by its control API, like anybody."""
    people = [
        {"phone": talk.phone, "name": talk.name, "persona": talk.persona, "has_written": True}
        for talk in TALKS
    ]
    transport = httpx.ASGITransport(simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://simulator") as client:
        (await client.post("/control/customers", json=people)).raise_for_status()
