"""The command line: `pytake …`. Each command imports what it needs when it is called."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

import pytake
from pytake.domain.errors import Conflict, PytakeError
from pytake.domain.principal import Role
from pytake.settings import Settings

app = typer.Typer(
    help="PyTake Realtime: chat with customers over WhatsApp, live.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
create = typer.Typer(help="Make the first organization, user or number.", no_args_is_help=True)
app.add_typer(create, name="create")

Organization = Annotated[str, typer.Option(help="Id or name of the organization.")]


def main() -> None:
    """Run the command that the arguments name."""
    app()


@app.callback(invoke_without_command=True)
def _version(
    version: Annotated[bool, typer.Option("--version", help="Print the version.")] = False,
) -> None:
    if version:
        typer.echo(pytake.__version__)
        raise typer.Exit


# --- processes ---------------------------------------------------------------------------


@app.command()
def dev(
    host: Annotated[str | None, typer.Option(help="Where to listen; PYTAKE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="0: any free one; PYTAKE_PORT.")] = None,
    allow_remote: Annotated[
        bool, typer.Option(help="Let others than this machine reach the demo.")
    ] = False,
) -> None:
    """Everything in one process, with demo data and a simulated WhatsApp."""
    from pytake.processes.dev import run_dev

    run_dev(host=host, port=port, allow_remote=allow_remote)


@app.command()
def relay() -> None:
    """Publish what was left behind, work off webhooks, send to WhatsApp."""
    from pytake.processes.relay import run_relay

    run_relay()


@app.command("simulate-whatsapp")
def simulate_whatsapp(
    webhook_url: Annotated[
        str, typer.Option(help="Address of the platform, without a path.")
    ] = "http://127.0.0.1:8000",
    host: Annotated[str | None, typer.Option(help="Where to listen; PYTAKE_HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="0: any free one; PYTAKE_PORT.")] = None,
    seed: Annotated[int, typer.Option(help="The same seed gives the same run.")] = 1,
    speed: Annotated[float, typer.Option(help="How much faster than real time.")] = 1.0,
    faults: Annotated[float, typer.Option(help="Probability of every fault, 0 to 1.")] = 0.0,
    quiet: Annotated[bool, typer.Option(help="Nobody writes by himself.")] = False,
    customers: Annotated[int, typer.Option(min=0, help="How many there are, of every kind.")] = 0,
    rate: Annotated[
        float, typer.Option(min=0.001, help="Messages a second that customers write by themselves.")
    ] = 0.04,
) -> None:
    """The simulated WhatsApp alone: Graph API, webhooks, customers, control API."""
    from pytake.processes.simulate_whatsapp import run_simulator

    run_simulator(
        host=host,
        port=port,
        webhook_url=webhook_url,
        seed=seed,
        speed=speed,
        faults=faults,
        quiet=quiet,
        customers=customers,
        rate=rate,
    )


# --- processes ---------------------------------------------------------------------------


@app.command()
def api() -> None:
    """Serve the REST API, the WhatsApp webhook and the inbox at `/`."""
    from pytake.processes.api import run_api

    run_api()


@app.command()
def gateway() -> None:
    """Serve Socket.IO."""
    from pytake.processes.gateway import run_gateway

    run_gateway()


# --- commands that end -------------------------------------------------------------------


@app.command()
def migrate(
    new_epoch: Annotated[
        bool, typer.Option(help="Start a new life of the database, after a restore.")
    ] = False,
) -> None:
    """Bring the database to the newest schema; safe from several pods at once."""
    from pytake.store import migrate as bring_up_to_date

    settings = _settings()
    _make_folder_of(settings.database_url)
    epoch = _run(lambda: bring_up_to_date(settings.database_url, new_epoch=new_epoch))
    typer.echo(f"The database has the newest schema; epoch {epoch}.")


@create.command("organization")
def create_organization(name: str) -> None:
    """Make an organization and print its id."""
    typer.echo(_with_store(lambda store: store.users.create_organization(name)))


@create.command("user")
def create_user(
    email: str,
    organization: Organization,
    name: Annotated[str, typer.Option(help="As colleagues see it.")] = "",
    role: Annotated[Role, typer.Option()] = Role.ADMIN,
) -> None:
    """Make a user and print its id. The password is read from standard input."""
    from pytake.processes.commands import create as making

    password = making.secret_from_standard_input("Password")
    typer.echo(
        _with_store(
            lambda store: making.create_user(
                store,
                organization=organization,
                email=email,
                name=name or email.partition("@")[0],
                role=role,
                password=password,
            )
        )
    )


@create.command("channel")
def create_channel(
    phone_number_id: str,
    organization: Organization,
    name: Annotated[str, typer.Option(help="As agents see it.")] = "WhatsApp",
    read_marks: Annotated[bool, typer.Option(help="Show customers what was read.")] = False,
    typing: Annotated[bool, typer.Option(help="Show customers that an agent types.")] = False,
) -> None:
    """Make a WhatsApp number and print its id. Its access token is read from standard input."""
    from pytake.processes.commands import create as making

    access_token = making.secret_from_standard_input("Access token")
    typer.echo(
        _with_store(
            lambda store: making.create_channel(
                store,
                organization=organization,
                name=name,
                phone_number_id=phone_number_id,
                access_token=access_token,
                sends_read_marks=read_marks,
                sends_typing=typing,
            )
        )
    )


@app.command()
def token(
    user: Annotated[str, typer.Option(help="Id of the user.")],
    organization: Annotated[str, typer.Option(help="Id of the organization.")],
    role: Annotated[Role, typer.Option()],
    ttl: Annotated[str, typer.Option(help="How long it is good: 15m, 12h …")] = "15m",
) -> None:
    """Print a signed token; works only with PYTAKE_JWT_SECRET."""
    from pytake.processes.clock import utc_now
    from pytake.processes.commands.token import signed_token
    from pytake.processes.tokens import token_rules
    from pytake.tokens.issuer import CannotIssue

    rules, lifetime = token_rules(_settings()), _duration(ttl)
    try:
        text = signed_token(
            rules, user=user, organization=organization, role=role, ttl=lifetime, now=utc_now()
        )
    except CannotIssue:
        _fail("PYTAKE_JWT_SECRET: must be set to sign a token", status=2)
    typer.echo(text)


@app.command()
def check(
    url: Annotated[str, typer.Option(help="Also look from outside, at this address.")] = "",
) -> None:
    """Check settings, database, Redis, keys and clock; with --url what clients meet."""
    from pytake.processes.commands.check import check_all

    raise typer.Exit(0 if asyncio.run(check_all(url, typer.echo)) else 1)


@app.command()
def explain(code: Annotated[str | None, typer.Argument()] = None) -> None:
    """Say what an error code means and what to do about it."""
    from pytake.processes.commands.explain import explain as meaning_of

    text, is_known = meaning_of(code)
    typer.echo(text, err=not is_known)
    raise typer.Exit(0 if is_known else 1)


@app.command()
def tail(user: Annotated[str, typer.Option(help="Id or e-mail address of the user.")]) -> None:
    """Say where a user is connected and follow what should reach the user, live; nothing of what
    people wrote is shown."""
    asyncio.run(_tail(user))


async def _tail(user: str) -> None:
    from pytake.processes.commands.tail import UnknownUser, follow, principal_of, whereabouts
    from pytake.processes.redis_client import connect_redis
    from pytake.store import open_store

    settings = _settings()
    if not settings.redis_url:
        _fail("PYTAKE_REDIS_URL: must be set; `pytake dev` has no broker to listen to", status=2)
    async with open_store(settings.database_url) as store:
        redis = connect_redis(settings.redis_url, timeout=None)
        try:
            principal = await principal_of(store.users, user)
            typer.echo(await whereabouts(principal, redis))
            async for line in follow(principal, store.event_log, redis):
                typer.echo(line)
        except UnknownUser:
            _fail(f"{user}: no organization has such a user")
        finally:
            await redis.aclose()


@app.command(
    context_settings={
        "allow_extra_args": True,
        "ignore_unknown_options": True,
        "help_option_names": [],
    }
)
def bench(context: typer.Context) -> None:
    """Load a server, this one or another, and measure it (pytake bench --help)."""
    from pytake.processes.commands.bench import app as load_tool

    load_tool(context.args, prog_name="pytake bench")


# --- what they share ---------------------------------------------------------------------


def _settings() -> Settings:
    from pytake.processes.start import settings_or_exit

    return settings_or_exit("command")


def _fail(text: str, status: int = 1) -> Any:
    typer.echo(text, err=True)
    raise typer.Exit(status)


def _run(work: Callable[[], Awaitable[Any]]) -> Any:
    """Run it; an error of the domain or the store is a line, not a traceback."""
    from pytake.processes.commands.create import CannotCreate
    from pytake.store import StoreNotUsable

    async def main() -> Any:
        return await work()

    try:
        return asyncio.run(main())
    except (StoreNotUsable, CannotCreate) as error:
        return _fail(str(error))
    except Conflict as error:
        return _fail(error.detail or "It exists already.")
    except PytakeError as error:
        return _fail(f"{error.code.value}: {error.detail or 'see `pytake explain`'}")


def _with_store(work: Callable[[Any], Awaitable[Any]]) -> Any:
    from pytake.store import open_store

    settings = _settings()

    async def main() -> Any:
        async with open_store(settings.database_url, pool_size=1) as store:
            return await work(store)

    return _run(main)


def _duration(text: str) -> timedelta:
    from pydantic import TypeAdapter, ValidationError

    from pytake.settings import Duration

    try:
        return TypeAdapter[timedelta](Duration).validate_python(text)
    except ValidationError:
        return _fail(f"--ttl: {text!r} is no time such as 15m or 12h", status=2)  # type: ignore[no-any-return]


def _make_folder_of(database_url: str) -> None:
    scheme, _, path = database_url.partition(":///")
    if scheme.startswith("sqlite") and path:
        Path(path).parent.mkdir(parents=True, exist_ok=True)


if __name__ == "__main__":
    main()
