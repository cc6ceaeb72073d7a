"""What single values of the chart do: settings, files, and whom the pods may reach."""

from __future__ import annotations

from typing import Any

import pytest

from deploy.chart import HELMS, LEAST, Objects, notes, of_kind, pods, render, with_values


def test_a_setting_given_by_name_replaces_the_charts_own() -> None:
    values = with_values(settings={"PYTAKE_MAX_CONNECTIONS": 7, "PYTAKE_LOG_LEVEL": "debug"})

    (settings,) = of_kind(render(values), "ConfigMap", "-settings")

    assert settings["data"]["PYTAKE_MAX_CONNECTIONS"] == "7"
    assert settings["data"]["PYTAKE_LOG_LEVEL"] == "debug"
    assert settings["data"]["PYTAKE_PORT"] == "8000"


def test_the_notes_warn_of_a_proxy_that_is_not_trusted() -> None:
    behind = {"ingress": {"enabled": True, "host": "chat.example.com"}}
    trusted = {**behind, "trustedProxies": ["10.244.0.0/16", "fd00::/56"]}

    (settings,) = of_kind(render(with_values(**trusted)), "ConfigMap", "-settings")

    assert settings["data"]["PYTAKE_TRUSTED_PROXIES"] == "10.244.0.0/16,fd00::/56"
    assert "trustedProxies is empty" in notes(with_values(**behind))
    assert "trustedProxies is empty" not in notes(with_values(**trusted))
    assert "trustedProxies is empty" not in notes(LEAST), "nobody is in front"


@pytest.mark.parametrize(
    ("media_url", "folders"),
    [
        ("", {"api": "/tmp/media", "relay": "/tmp/media"}),  # noqa: S108
        ("file:/tmp/files", {"api": "/tmp/files", "relay": "/tmp/files"}),  # noqa: S108
        ("s3://bucket", {}),
    ],
)
def test_files_without_a_bucket_have_a_folder_of_their_own(
    media_url: str, folders: dict[str, str]
) -> None:
    values = with_values(whatsapp={"mediaUrl": media_url, "mediaFolderSize": "3Gi"})

    found = {}
    for name, spec in pods(render(values)):
        volumes = {each["name"]: each for each in spec["volumes"]}
        if "media" in volumes:
            assert volumes["media"]["emptyDir"] == {"sizeLimit": "3Gi"}
            (mount,) = (m for m in spec["containers"][0]["volumeMounts"] if m["name"] == "media")
            found[name.rsplit("-", 1)[-1]] = mount["mountPath"]

    assert found == folders
    assert ("names no bucket" in notes(values)) == bool(folders)


def egress_ports(objects: Objects, component: str) -> set[int]:
    (policy,) = of_kind(objects, "NetworkPolicy", f"-{component}")
    return {port["port"] for rule in policy["spec"]["egress"] for port in rule["ports"]} - {53}


@pytest.mark.parametrize(
    ("changes", "added"),
    [
        ({"redis": {"port": 6390}}, {6390}),
        ({"redis": {"mode": "sentinel", "sentinels": ["a:26380", "b:26381"]}}, {26380, 26381}),
        ({"tracing": {"endpoint": "http://otel:4319/v1"}}, {4319}),
        ({"auth": {"jwksUrl": "https://id.example.com:8443/keys"}}, {8443}),
        ({"whatsapp": {"mediaUrl": "http://key:word@minio:9000/media"}}, {9000}),
        ({"whatsapp": {"mediaUrl": "http://minio/media"}}, {80}),
        ({"whatsapp": {"mediaUrl": "s3://media/production"}}, set()),
    ],
)
def test_the_network_policy_lets_out_to_every_address_of_the_values(
    changes: dict[str, Any], added: set[int]
) -> None:
    always = egress_ports(render(LEAST), "relay")

    assert egress_ports(render(with_values(**changes)), "relay") - always == added


def test_only_a_gateway_that_tells_its_cost_may_reach_the_api_server() -> None:
    objects = render(
        with_values(gateway={"podDeletionCost": True}, networkPolicy={"egressPorts": [5432]})
    )

    assert egress_ports(objects, "gateway") == {443, 5432, 6379, 6443}
    assert egress_ports(objects, "api") == {5432, 6379}


@pytest.mark.parametrize("helm", HELMS)
def test_large_numbers_stay_integers(helm: str) -> None:
    values = with_values(
        settings={"PYTAKE_SEND_BUFFER_TOTAL_BYTES": 268_435_456, "PYTAKE_PING_INTERVAL": 2.5},
        gateway={"maxConnections": 10_000_000},
    )

    (settings,) = of_kind(render(values, helm=helm), "ConfigMap", "-settings")

    assert settings["data"]["PYTAKE_SEND_BUFFER_TOTAL_BYTES"] == "268435456"
    assert settings["data"]["PYTAKE_MAX_CONNECTIONS"] == "10000000"
    assert settings["data"]["PYTAKE_PING_INTERVAL"] == "2.5"
