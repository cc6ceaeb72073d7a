"""`pytake simulate-whatsapp`: the simulator alone, on a port of its own."""

import structlog

from pytake.observability import logs
from pytake.processes.server import Listener, serve
from pytake.processes.start import run, settings_or_exit
from pytake.simulator.app import SimulatorOptions, open_simulator
from pytake.simulator.customers import PERSONAS, Pace
from pytake.simulator.faults import Faults

log = structlog.get_logger()


def run_simulator(
    *,
    host: str | None,
    port: int | None,
    webhook_url: str,
    seed: int,
    speed: float,
    faults: float,
    quiet: bool,
    customers: int = 0,
    rate: float = 0.04,
) -> None:
    """Serve until a signal. Secrets and number are those of the `PYTAKE_WHATSAPP_*` settings."""
    given = {"host": host, "port": port}
    settings = settings_or_exit(
        "command", **{name: value for name, value in given.items() if value is not None}
    )
    logs.configure("simulator", level=settings.log_level)
    secret, token = settings.whatsapp_app_secret, settings.whatsapp_access_token
    verify = settings.whatsapp_verify_token
    options = SimulatorOptions(
        webhook_url=webhook_url,
        app_secret=secret.get_secret_value() if secret else "simulated-app-secret",
        access_token=token.get_secret_value() if token else "simulated-access-token",
        verify_token=verify.get_secret_value() if verify else "",
        phone_number_id=settings.whatsapp_phone_number_id or "106540352242922",
        public_url="",
        seed=seed,
        speed=speed,
        faults=Faults.all_at(faults) if faults else Faults(),
        pace=None if quiet else Pace(writes_every=1 / rate),
    )

    async def main() -> None:
        async with open_simulator(options) as simulator:
            for number in range(customers):
                persona = PERSONAS[number % len(PERSONAS)]
                simulator.world.add_customer(
                    f"55119{80_000_000 + number}", f"Cliente {number + 1}", persona=persona
                )
            await serve(
                "simulator",
                Listener(simulator.app, settings.host, settings.port),
                background=[simulator.run],
                on_listening=lambda address, _: simulator.found_at(f"http://{address}"),
            )

    run(main)
