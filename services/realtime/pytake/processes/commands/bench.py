"""`pytake bench …`: the load tool on the command line, with the key from the settings."""

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from pytake.bench import report, watch
from pytake.bench.load import CannotConnect
from pytake.bench.mixed import Mixed, Soak
from pytake.bench.plan import Plan, Shape
from pytake.bench.result import Result
from pytake.bench.run import Run
from pytake.bench.scenarios import Connect, Disconnect, Fanout, Inbound, Latency, Storm
from pytake.bench.server_figures import listening_on
from pytake.bench.swarm import Address, Timing
from pytake.bench.world import People, Sign, address_of, make_world

app = typer.Typer(
    help="Load a server, this one or another, and measure it.",
    no_args_is_help=True,
    add_completion=False,
)

TOKEN_LIFE = timedelta(hours=12)
AGENTS_AN_ORGANIZATION = 50
_QUIET_LINE_SECONDS = 5
_WATCH_SECONDS, _RESTING_SAMPLES, _LINGER_SECONDS = 5.0, 3, 15.0
_ALLOWED_MB_PER_HOUR = 4.0


@dataclass(frozen=True)
class Kind:
    """A scenario as the command line offers it."""

    scenario: type[Any]
    shape: Shape
    help: str
    shares_organizations: bool = False


KINDS = {
    "connect": Kind(
        Connect,
        Shape(connections=1000, rooms=100),
        "Everybody comes in, from nothing: handshakes a second, CPU and memory a connection.",
    ),
    "disconnect": Kind(
        Disconnect,
        Shape(connections=1000, rooms=100),
        "Everybody is gone at once: what it costs the server.",
    ),
    "fanout": Kind(
        Fanout,
        Shape(connections=1000, rooms=1),
        "As many messages as can be delivered: the next is posted when one has arrived.",
    ),
    "inbound": Kind(
        Inbound,
        Shape(connections=200, rooms=20, per_second=1000),
        "Events from clients, each with an acknowledgement that is timed.",
    ),
    "latency": Kind(
        Latency,
        Shape(connections=200, rooms=50, per_second=50),
        "Messages at a fixed rate, timed from the request to every screen.",
    ),
    "storm": Kind(
        Storm,
        Shape(connections=1000, rooms=100, settle_seconds=5),
        "All connections end, and all clients come back at once.",
    ),
    "soak": Kind(
        Soak,
        Shape(
            connections=100,
            rooms=20,
            per_second=2,
            seconds=3600,
            repetitions=1,
            churn_per_minute=0.2,
            settle_seconds=30,
        ),
        "Light work for long, with clients that come and go; what is left of it afterwards.",
        shares_organizations=True,
    ),
    "mixed": Kind(
        Mixed,
        Shape(connections=200, rooms=100, per_second=20, seconds=30),
        "A working day of agents: customers write, agents read, type, answer, look elsewhere.",
        shares_organizations=True,
    ),
}


def _option(help: str, *names: str, **more: Any) -> Any:
    return typer.Option(*names, help=help, **more)


Urls = Annotated[
    list[str] | None,
    _option(
        "Where clients connect. More of them: pods of one cluster, load processes take turns. "
        "Without: http://127.0.0.1:8000."
    ),
]
ApiUrl = Annotated[str, _option("Where REST is, if it is not there.")]
Connections = Annotated[int, _option("Clients.", "--connections", "-n", min=1)]
Rooms = Annotated[int, _option("Conversations; clients are spread over them.", min=1)]
PerSecond = Annotated[
    float, _option("Messages or events a second.", "--per-second", "-r", min=0.001)
]
Seconds = Annotated[float, _option("Of each repetition.", min=0.1)]
WarmUp = Annotated[float, _option("Seconds that do not count.", min=0)]
Repetitions = Annotated[int, _option("Medians and spread are over these.", min=1)]
Window = Annotated[int, _option("fanout: messages under way at once.", min=1)]
ContentBytes = Annotated[int, _option("Of text in a message.", min=32, max=4000)]
AtOnce = Annotated[int, _option("Handshakes under way.", min=1)]
ConnectRate = Annotated[
    float, _option("At most; 0: no limit. storm: clients come back at this pace.", min=0)
]
Churn = Annotated[float, _option("soak, mixed: share of connections that break a minute.", min=0)]
PerUser = Annotated[int, _option("Not above the server's cap.", min=1)]
RoleName = Annotated[str, _option("agent, admin or bot.")]
Processes = Annotated[int, _option("That make the load.", min=1)]
Engine = Annotated[str, _option("The generator: auto, c or python.")]
Compress = Annotated[bool, _option("Offer permessage-deflate, as browsers do.")]
Insecure = Annotated[bool, _option("Accept any certificate.")]
Pids = Annotated[
    list[int] | None,
    _option("Server processes to read; without: who listens on the port, if it is here."),
]
Metrics = Annotated[
    list[str] | None,
    _option("soak: inner addresses of pods, http://host:9090; tells what is left in them."),
]
JsonFile = Annotated[Path | None, _option("Write everything here.", "--json")]
HtmlFile = Annotated[Path | None, _option("Write a page with plots here.", "--html")]


def _offer(name: str, kind: Kind) -> None:
    """Make a command of it: the same options everywhere, each with its own defaults."""
    shape = kind.shape

    def command(
        url: Urls = None,
        api_url: ApiUrl = "",
        connections: Connections = shape.connections,
        rooms: Rooms = shape.rooms,
        per_second: PerSecond = shape.per_second,
        seconds: Seconds = shape.seconds,
        warm_up: WarmUp = shape.warm_up_seconds,
        repetitions: Repetitions = shape.repetitions,
        window: Window = shape.window,
        content_bytes: ContentBytes = shape.content_bytes,
        connecting_at_once: AtOnce = shape.connecting_at_once,
        connects_per_second: ConnectRate = shape.connects_per_second,
        churn: Churn = shape.churn_per_minute,
        connections_per_user: PerUser = 1,
        role: RoleName = "agent",
        processes: Processes = 1,
        engine: Engine = "auto",
        compress: Compress = False,
        insecure: Insecure = False,
        pid: Pids = None,
        metrics: Metrics = None,
        json_file: JsonFile = None,
        html_file: HtmlFile = None,
    ) -> None:
        own = replace(
            shape,
            connections=connections,
            rooms=min(rooms, connections),
            per_second=per_second,
            seconds=seconds,
            warm_up_seconds=warm_up,
            repetitions=repetitions,
            window=window,
            content_bytes=content_bytes,
            connecting_at_once=connecting_at_once,
            connects_per_second=connects_per_second,
            churn_per_minute=churn,
        )
        organizations = 0
        if kind.shares_organizations:
            organizations = min(own.rooms, -(-connections // AGENTS_AN_ORGANIZATION))
        people = People(connections, own.rooms, organizations, connections_per_user, role)
        addresses = [
            address_of(each, verifies=not insecure, compresses=compress)
            for each in url or ["http://127.0.0.1:8000"]
        ]
        api = address_of(api_url, verifies=not insecure) if api_url else None
        dialect, seats = make_world(addresses[0], _signing(), people, api)
        plan = Plan(name, own, addresses[0], dialect, seats)
        plan = replace(plan, engine=engine, api=api, addresses=tuple(addresses[1:]))
        pids = pid or [
            p for a in addresses if a.ip.startswith("127.") for p in listening_on(a.port)
        ]
        scenario = kind.scenario()
        run = Run(
            plan,
            scenario,
            processes=max(processes, len(addresses)),
            pids=pids,
            on_tick=_Live(scenario.timing),
        )
        if metrics:
            result, rest = _watched(run, metrics)
            _report(result, json_file, html_file)
            typer.echo(f"\n{rest}")
        else:
            _report(run(), json_file, html_file)

    command.__doc__ = kind.help
    app.command(name)(_failing_in_a_line(command))


def _watched(run: Run, pods: list[str]) -> tuple[Result, str]:
    """Run it, and tell from the pods' own metrics what they came to rest at."""
    with watch.Watch({pod: pod for pod in pods}, every_seconds=_WATCH_SECONDS) as watching:
        watching.rest("before", _RESTING_SAMPLES, after_seconds=0)
        watching.enter("load")
        result = run()
        watching.rest("after", _RESTING_SAMPLES, after_seconds=_LINGER_SECONDS)
    return result, watch.table(watching, _ALLOWED_MB_PER_HOUR)


def _local_servers(addresses: list[Address]) -> list[int]:
    """Who listens there, where that is this machine."""
    found = [
        pid
        for address in addresses
        if address.ip.startswith("127.") or address.ip == "::1"
        for pid in listening_on(address.port)
    ]
    return list(dict.fromkeys(found))


def _failing_in_a_line(command: Callable[..., None]) -> Callable[..., None]:
    """Turn what cannot be measured into one line and exit status 1."""
    from functools import wraps

    @wraps(command)
    def wrapped(**options: Any) -> None:
        try:
            command(**options)
        except CannotConnect as error:
            typer.echo(f"nothing was measured: {' '.join(str(error).split())}", err=True)
            raise typer.Exit(1) from error

    return wrapped


def _signing() -> Sign:
    """Sign with the configured key, else with the one that `pytake dev` made up in this folder."""
    from pytake.domain.principal import Role
    from pytake.processes import dev_key
    from pytake.processes.clock import utc_now
    from pytake.processes.commands.token import signed_token
    from pytake.processes.start import settings_or_exit
    from pytake.processes.tokens import token_rules
    from pytake.tokens.issuer import CannotIssue

    settings = settings_or_exit("command")
    if settings.jwt_secret is None and (dev_key.FOLDER / dev_key.FILE).exists():
        settings = dev_key.complete(settings)
    rules, now = token_rules(settings), utc_now()

    def sign(user: str, organization: str, role: str) -> str:
        try:
            return signed_token(
                rules,
                user=user,
                organization=organization,
                role=Role(role),
                ttl=TOKEN_LIFE,
                now=now,
            )
        except CannotIssue as error:
            raise CannotConnect(
                "PYTAKE_JWT_SECRET must be set to the server's key, to make users"
            ) from error

    return sign


class _Live:
    """One line that changes on a terminal; elsewhere a line now and then."""

    def __init__(self, timing: Timing) -> None:
        self._timing = timing
        self._before: dict[str, Any] | None = None
        self._written = 0.0

    def __call__(self, tick: dict[str, Any]) -> None:
        line = report.live_line(tick, self._before, self._timing)
        self._before = tick
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{line}")
            sys.stderr.flush()
        elif time.monotonic() - self._written >= _QUIET_LINE_SECONDS:
            self._written = time.monotonic()
            print(line, file=sys.stderr, flush=True)


def _report(result: Result, json_file: Path | None, html_file: Path | None) -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    if not result.repetitions:
        raise CannotConnect("stopped before the first measurement")
    typer.echo(report.table(result))
    if json_file is not None:
        json_file.write_text(json.dumps(result.as_json(), indent=1) + "\n", "utf-8")
    if html_file is not None:
        html_file.write_text(report.page([result], _about()), "utf-8")


def _about() -> str:
    import platform

    import pytake

    return (
        f"{time.strftime('%Y-%m-%d %H:%M %Z')}; pytake {pytake.__version__}, Python "
        f"{platform.python_version()}, {platform.system()} {platform.release()}; "
        f"command: pytake {' '.join(sys.argv[1:])}"
    )


for _name, _kind in KINDS.items():
    _offer(_name, _kind)


@app.command("seed-table")
@_failing_in_a_line
def seed_table(
    url: Annotated[str, _option("Where the server is.")] = "http://127.0.0.1:8000",
    connections: Connections = 50,
    rooms: Rooms = 10,
    per_second: PerSecond = 2,
    seconds: Annotated[float, _option("Of each way.", min=5)] = 60,
    insecure: Insecure = False,
) -> None:
    """Polling every 5 s against the socket: latency, HTTP requests, bytes."""
    import asyncio

    from pytake.bench import seed_table as seed

    address = address_of(url, verifies=not insecure)
    people = People(connections, min(rooms, connections))
    dialect, seats = make_world(address, _signing(), people)
    try:
        polling, socket = asyncio.run(
            seed.compare(address, dialect, seats, per_second=per_second, seconds=seconds)
        )
    except ExceptionGroup as errors:
        first = errors.exceptions[0]
        if not isinstance(first, OSError | EOFError):
            raise
        raise CannotConnect(f"{url}: {first}") from first
    typer.echo(seed.table(polling, socket))


@app.command()
@_failing_in_a_line
def capacity(
    connections: Annotated[int, _option("Clients.", min=1)] = 1_000_000,
    messages_per_second: Annotated[float, _option("Stored and delivered.", min=0)] = 5_000,
    viewers: Annotated[float, _option("Who has a message's conversation open.", min=0)] = 2,
    list_watchers: Annotated[
        float, _option("Whose list shows its conversation (docs/capacity.md).", min=0)
    ] = 5,
    events_per_minute: Annotated[float, _option("Typing, read … of each client.", min=0)] = 2,
    joins_per_minute: Annotated[float, _option("Conversations opened by each.", min=0)] = 0.5,
    core_share: Annotated[
        float, _option("Of each core, in ordinary times.", min=0.05, max=0.95)
    ] = 0.6,
    pod_memory_mb: Annotated[float, _option("Limit of a gateway.", min=200)] = 1024,
    connections_per_pod: Annotated[int, _option("PYTAKE_MAX_CONNECTIONS.", min=1)] = 10_000,
    handshake_rate: Annotated[float, _option("PYTAKE_HANDSHAKE_RATE.", min=1)] = 1000,
    spread_seconds: Annotated[float, _option("Jitter with which clients return.", min=0)] = 5,
    drain_seconds: Annotated[float, _option("PYTAKE_DRAIN_SECONDS of the chart.", min=0.1)] = 60,
    surge: Annotated[
        float, _option("Share of gateways that a deploy replaces at a time.", min=0.01, max=1)
    ] = 0.25,
    whole_within: Annotated[float, _option("Seconds; for the headroom.", min=1)] = 30,
    costs_file: Annotated[Path | None, _option("Your own measurement.", "--costs")] = None,
    json_file: JsonFile = None,
) -> None:
    """How many pods, shards and workers a size needs; a deploy, a loss and a storm played on it."""
    from pytake.bench.capacity import costs, report, sizing

    try:
        known = costs.read(costs_file) if costs_file else costs.measured()
    except ValueError as error:
        raise CannotConnect(str(error)) from error
    demand = sizing.Demand(
        connections,
        messages_per_second,
        viewers,
        list_watchers,
        events_per_minute,
        joins_per_minute,
    )
    limits = sizing.Limits(core_share, pod_memory_mb, connections_per_pod=connections_per_pod)
    text, found = report.capacity(
        demand,
        known,
        limits,
        whole_within_seconds=whole_within,
        handshake_rate=handshake_rate,
        spread_seconds=spread_seconds,
        drain_seconds=drain_seconds,
        surge_share=surge,
    )
    typer.echo(text)
    if json_file is not None:
        json_file.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
