"""The settings of all processes: `PYTAKE_*`, read once, every mistake named.

`load()` gives one frozen object; `processes/` reads it and hands plain values to
everybody else. Defaults are safe ones: where a wrong value would be dangerous
(keys, origins) there is none.
"""

import json
import re
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

MIN_HMAC_BYTES = 32
"""A key as long as the hash: RFC 7518, 3.2."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_PERIODS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400}
_CLAIMS = {"sub", "organization_id", "role", "name"}
_HMAC = {"HS256", "HS384", "HS512"}
_SIGNED = {"RS256", "RS384", "RS512", "ES256", "ES384", "EdDSA", "PS256"}


class BadSettings(Exception):
    """The environment does not make a working process; `mistakes` has a line for each."""

    def __init__(self, mistakes: list[str]) -> None:
        self.mistakes = mistakes
        super().__init__("\n".join(mistakes))


def _comma_list(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return value


def _duration(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)(ms|s|m|h|d)?", value)
    if match is None:
        raise ValueError("must be a time such as 15m, 90s or 12h")
    return timedelta(seconds=float(match[1]) * _UNITS[match[2] or "s"])


def _json_map(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        found = json.loads(value or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict) or not found.keys() <= _CLAIMS:
        claims = ", ".join(sorted(_CLAIMS))
        raise ValueError(f'must be JSON such as {{"organization_id": "org"}}, for {claims}')
    return found


class Rate(tuple[int, float]):
    """`count` events in `seconds`; written `10/5` or `120/minute`."""

    __slots__ = ()

    @property
    def count(self) -> int:  # type: ignore[override]
        return self[0]

    @property
    def seconds(self) -> float:
        return self[1]


def parse_rate(text: str) -> Rate:
    """Return the rate that the text names.

    Raises:
        ValueError: It is not of the form `count/seconds` or `count/unit`.
    """
    match = re.fullmatch(r"(\d+)/(\d+(?:\.\d+)?|second|minute|hour|day)", text.strip())
    if match is None or int(match[1]) == 0:
        raise ValueError("must be a rate such as 10/5 (in seconds) or 120/minute")
    seconds = float(_PERIODS.get(match[2]) or match[2])
    if seconds <= 0:
        raise ValueError("must name a time above zero")
    return Rate((int(match[1]), seconds))


def _rate(value: Any) -> Any:
    return parse_rate(value) if isinstance(value, str) else value


def _network(value: str) -> str:
    ip_network(value, strict=False)
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration)]
CommaList = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_comma_list)]
Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_comma_list)
]
# Clocks may be five seconds apart, and a revocation is remembered for ninety days.
TokenLife = Annotated[Duration, Field(gt=timedelta(seconds=5), le=timedelta(days=90))]
ClaimNames = Annotated[dict[str, str], NoDecode, BeforeValidator(_json_map)]
RateSetting = Annotated[Any, BeforeValidator(_rate)]
Optional = str | None
Process = Literal["dev", "api", "gateway", "relay", "command"]


class Settings(BaseSettings):
    """Everything that can be set, with its default. See docs/settings.md."""

    model_config = SettingsConfigDict(
        env_prefix="PYTAKE_", env_file=".env", extra="ignore", frozen=True, allow_inf_nan=False
    )

    database_url: str = "sqlite+aiosqlite:///./.pytake/pytake.db"
    database_listen_url: str = ""
    redis_url: str = ""
    redis_channel: Annotated[str, Field(min_length=1)] = "socketio"

    host: str = "127.0.0.1"
    port: Annotated[int, Field(ge=0, le=65535)] = 8000
    metrics_host: str = ""
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 9090
    trusted_proxies: Networks = ()

    jwt_algorithms: CommaList = ("HS256",)
    jwt_secret: SecretStr | None = None
    jwt_previous_secret: SecretStr | None = None
    jwt_jwks_url: str = ""
    jwt_issuer: str = ""
    jwt_audience: str = ""
    jwt_claims: ClaimNames = Field(default_factory=dict)
    access_token_ttl: TokenLife = timedelta(minutes=15)
    cors_allowed_origins: CommaList = ()

    # Two devices and a spare: the seed's own figure.
    max_connections_per_user: Annotated[int, Field(ge=1)] = 3
    max_connections: Annotated[int, Field(ge=1)] = 10_000
    max_connection_age: Annotated[float, Field(ge=0)] = 0
    handshake_rate: Annotated[float, Field(gt=0)] = 1000
    event_rate_limit: RateSetting = Rate((10, 5.0))
    http_rate_limit: RateSetting = Rate((120, 60.0))
    http_rate_limit_bot: RateSetting = Rate((6000, 60.0))
    login_rate_limit: RateSetting = Rate((10, 60.0))
    # Twice what one bot may do: no organization uses up a cluster by itself.
    organization_rate_limit: RateSetting = Rate((2000, 10.0))

    # Engine.IO's own defaults; proxies must wait for more than both together.
    ping_interval: Annotated[float, Field(gt=0)] = 25
    ping_timeout: Annotated[float, Field(gt=0)] = 20
    max_event_bytes: Annotated[int, Field(ge=1024)] = 65_536
    send_buffer_bytes: Annotated[int, Field(ge=65_536)] = 262_144
    send_buffer_total_bytes: Annotated[int, Field(ge=1_048_576)] = 134_217_728
    drain_seconds: Annotated[float, Field(ge=0)] | None = None
    # Of a gateway that tells Kubernetes what its end would cost; empty: it tells nobody.
    deletion_cost_pod: str = ""
    status_coalesce_ms: Annotated[int, Field(ge=0, le=5000)] = 100
    event_retention_days: Annotated[int, Field(ge=1, le=36_500)] = 90
    transport: Literal["direct", "stock"] = "direct"

    whatsapp_app_secret: SecretStr | None = None
    whatsapp_previous_app_secret: SecretStr | None = None
    whatsapp_verify_token: SecretStr | None = None
    whatsapp_access_token: SecretStr | None = None
    whatsapp_phone_number_id: str = ""
    whatsapp_organization: str = ""
    whatsapp_api_url: str = "https://graph.facebook.com"
    whatsapp_api_version: Annotated[str, Field(pattern=r"^v\d+\.\d+$")] = "v25.0"
    media_url: str = "file:./.pytake/media"

    demo: Literal["on", "quiet", "off"] = "on"
    otlp_endpoint: str = ""
    trace_sample_ratio: Annotated[float, Field(ge=0, le=1)] = 0.02
    docs: bool | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @field_validator("jwt_algorithms")
    @classmethod
    def _known_algorithms(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        unknown = [name for name in value if name not in _HMAC | _SIGNED]
        if unknown or not value:
            raise ValueError(f"must be a list of known algorithms; not {', '.join(unknown)!r}")
        return value

    @field_validator("jwt_secret", "jwt_previous_secret")
    @classmethod
    def _long_enough(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value().encode()) < MIN_HMAC_BYTES:
            raise ValueError(f"must have at least {MIN_HMAC_BYTES} bytes")
        return value

    @model_validator(mode="after")
    def _inner_listener_has_a_host(self) -> Self:
        if not self.metrics_host:
            object.__setattr__(self, "metrics_host", self.host)
        return self

    @property
    def uses_hmac(self) -> bool:
        return bool(_HMAC & set(self.jwt_algorithms))


def _mistakes_of(process: Process, settings: Settings) -> list[str]:
    """What the fields alone cannot tell: needs of a process, and pairs that clash."""
    mistakes: list[str] = []

    def say(variable: str, sentence: str) -> None:
        mistakes.append(f"PYTAKE_{variable}: {sentence}")

    served = process in ("api", "gateway", "relay")
    if served and not settings.redis_url:
        say("REDIS_URL", f"must be set for `pytake {process}`; only `pytake dev` runs in-process")
    if process in ("api", "gateway"):
        if settings.uses_hmac and settings.jwt_secret is None:
            say("JWT_SECRET", "must be set when an HMAC algorithm is allowed")
        if set(settings.jwt_algorithms) & _SIGNED and not settings.jwt_jwks_url:
            say("JWT_JWKS_URL", "must be set when a public-key algorithm is allowed")
        if "*" in settings.cors_allowed_origins:
            say("CORS_ALLOWED_ORIGINS", "must list origins; `*` is for `pytake dev` alone")
    if settings.redis_url and not re.match(
        r"(redis|rediss|redis\+sentinel|redis\+cluster)://", settings.redis_url
    ):
        say("REDIS_URL", "must be redis://, rediss://, redis+sentinel:// or redis+cluster://")
    elif settings.redis_url.startswith("redis+sentinel:") and not re.fullmatch(
        r"[^/]+//[^/?]+/\d+/[^/?]+(\?.*)?", settings.redis_url
    ):
        say("REDIS_URL", "must be redis+sentinel://host:port,host:port/number/name-of-the-master")
    if not re.match(r"(sqlite\+aiosqlite|postgresql\+asyncpg)://", settings.database_url):
        say("DATABASE_URL", "must be sqlite+aiosqlite:// or postgresql+asyncpg://")
    if not re.match(r"(file:|s3:|https?://)", settings.media_url):
        say("MEDIA_URL", "must be file:, s3: or an S3-compatible http(s) address")
    return mistakes


def load(process: Process = "command", **overrides: Any) -> Settings:
    """Return the settings for one process.

    Args:
        process: What is about to start; `gateway`, `api` and `relay` need more than `dev`.
        overrides: Values that stand above the environment.

    Raises:
        BadSettings: With every mistake that was found, each naming its variable.
    """
    mistakes: list[str] = []
    try:
        settings = Settings(**overrides)
    except ValidationError as error:
        for problem in error.errors():
            variable = f"PYTAKE_{'_'.join(str(part) for part in problem['loc'][:1])}".upper()
            mistakes.append(f"{variable}: {problem['msg'].removeprefix('Value error, ')}")
        # The rest is judged as if the bad ones had not been set, so that nobody fixes one a start.
        bad = {str(problem["loc"][0]) for problem in error.errors() if problem["loc"]}
        settings = _defaults_except(bad, overrides)
        bad_variables = {name.upper() for name in bad}
        mistakes += [
            line
            for line in _mistakes_of(process, settings)
            if line.split(":")[0].removeprefix("PYTAKE_") not in bad_variables
        ]
        raise BadSettings(mistakes) from None
    mistakes = _mistakes_of(process, settings)
    if mistakes:
        raise BadSettings(mistakes)
    return settings


def _defaults_except(bad: set[str], overrides: dict[str, Any]) -> Settings:
    defaults = {
        name: Settings.model_fields[name].get_default(call_default_factory=True)
        for name in bad
        if name in Settings.model_fields
    }
    return Settings(**(overrides | defaults))


def media_folder(settings: Settings) -> Path | None:
    """Return the folder of `file:` media, or None for an object store."""
    if settings.media_url.startswith("file:"):
        return Path(settings.media_url.removeprefix("file:"))
    return None
