import re
from datetime import timedelta
from pathlib import Path

import pytest

from pytake.settings import BadSettings, Rate, Settings, load, parse_rate

SECRET = "k" * 32


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    monkeypatch.chdir(tmp_path)


def test_defaults_are_enough_for_dev() -> None:
    settings = load("dev")

    assert settings.port == 8000
    assert settings.access_token_ttl == timedelta(minutes=15)
    assert settings.metrics_host == "127.0.0.1"


def test_every_mistake_is_listed_and_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTAKE_PORT", "99999")
    monkeypatch.setenv("PYTAKE_JWT_SECRET", "short")
    monkeypatch.setenv("PYTAKE_EVENT_RATE_LIMIT", "often")
    monkeypatch.setenv("PYTAKE_CORS_ALLOWED_ORIGINS", "*")

    with pytest.raises(BadSettings) as caught:
        load("gateway")

    named = {line.split(":")[0] for line in caught.value.mistakes}
    assert named == {
        "PYTAKE_PORT",
        "PYTAKE_JWT_SECRET",
        "PYTAKE_EVENT_RATE_LIMIT",
        "PYTAKE_CORS_ALLOWED_ORIGINS",
        "PYTAKE_REDIS_URL",
    }


@pytest.mark.parametrize(
    "value", ["org=organization_id", '["org"]', '{"organization": "org"}', '{"sub": 1}']
)
def test_what_is_no_map_of_claims_is_a_mistake_like_any_other(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTAKE_JWT_CLAIMS", value)
    monkeypatch.setenv("PYTAKE_PORT", "99999")

    with pytest.raises(BadSettings) as caught:
        load("dev")

    named = {line.split(":")[0] for line in caught.value.mistakes}
    assert named == {"PYTAKE_JWT_CLAIMS", "PYTAKE_PORT"}


@pytest.mark.parametrize(
    ("value", "names"), [("", {}), ('{"organization_id": "org"}', {"organization_id": "org"})]
)
def test_claims_may_have_other_names(
    value: str, names: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTAKE_JWT_CLAIMS", value)

    assert load("dev").jwt_claims == names


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ACCESS_TOKEN_TTL", "0"),
        ("ACCESS_TOKEN_TTL", "5s"),
        ("ACCESS_TOKEN_TTL", "91d"),
        ("ACCESS_TOKEN_TTL", "99999999999999999999d"),
        ("PING_INTERVAL", "inf"),
        ("PING_TIMEOUT", "0"),
        ("DRAIN_SECONDS", "inf"),
        ("DRAIN_SECONDS", "-1"),
        ("MAX_CONNECTION_AGE", "nan"),
        ("EVENT_RETENTION_DAYS", "0"),
        ("EVENT_RETENTION_DAYS", "99999999"),
    ],
)
def test_a_time_that_makes_no_sense_is_refused(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"PYTAKE_{name}", value)

    with pytest.raises(BadSettings, match=f"PYTAKE_{name}: "):
        load("dev")


@pytest.mark.parametrize("process", ["api", "gateway", "relay"])
def test_only_dev_runs_without_redis(process, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTAKE_JWT_SECRET", SECRET)

    with pytest.raises(BadSettings, match="PYTAKE_REDIS_URL"):
        load(process)


def test_none_is_no_algorithm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTAKE_JWT_ALGORITHMS", "HS256,none")

    with pytest.raises(BadSettings, match="PYTAKE_JWT_ALGORITHMS"):
        load("dev")


def test_an_env_file_is_read_where_present(tmp_path) -> None:
    (tmp_path / ".env").write_text("PYTAKE_PORT=0\nPYTAKE_TRUSTED_PROXIES=10.0.0.0/8,::1/128\n")

    settings = load("dev")

    assert settings.port == 0
    assert settings.trusted_proxies == ("10.0.0.0/8", "::1/128")


@pytest.mark.parametrize(
    ("text", "rate"),
    [("10/5", (10, 5.0)), ("120/minute", (120, 60.0)), ("3/0.5", (3, 0.5))],
)
def test_rates_are_counts_in_seconds(text: str, rate: tuple[int, float]) -> None:
    assert parse_rate(text) == Rate(rate)


@pytest.mark.parametrize("text", ["", "10", "0/5", "10/0", "-1/5", "10/fortnight"])
def test_what_is_no_rate_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_rate(text)


def test_the_page_names_every_setting_and_no_other() -> None:
    page = (Path(__file__).parents[2] / "docs" / "settings.md").read_text()
    rows = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `PYTAKE_")]

    named = {name for row in rows for name in re.findall(r"`(PYTAKE_[A-Z_]+)`", row)}

    assert named == {f"PYTAKE_{name.upper()}" for name in Settings.model_fields}
