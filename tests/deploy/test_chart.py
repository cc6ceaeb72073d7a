"""The chart: every profile is valid, the numbers add up, wrong values stop with a sentence."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from deploy.chart import (
    CHART,
    HELMS,
    LEAST,
    PROFILES,
    Refused,
    of_kind,
    pods,
    render,
    with_values,
)
from pytake.broker.redis import parse_address
from pytake.settings import Settings, load

KUBERNETES = ("1.30", "1.34", "1.37")
CUSTOM = {
    "PodMonitor",
    "ServiceMonitor",
    "PrometheusRule",
    "ScaledObject",
    "HTTPRoute",
    "ExternalSecret",
}


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        yield here
        if isinstance(value, dict):
            yield from leaves(value, here)


@pytest.mark.parametrize("helm", HELMS)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_profile_renders_what_kubernetes_accepts(profile: Path, helm: str) -> None:
    for item in render(profile, helm=helm):
        if item["kind"] in CUSTOM:
            continue
        for version in KUBERNETES:
            kubernetes_validate.validate(item, version, strict=True)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_both_majors_render_the_same(profile: Path) -> None:
    first, second = (render(profile, helm=helm) for helm in HELMS)

    def key(item: dict[str, Any]) -> tuple[str, str]:
        return item["kind"], item["metadata"]["name"]

    assert sorted(first, key=key) == sorted(second, key=key)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_pods_run_under_the_restricted_profile(profile: Path) -> None:
    for name, spec in pods(render(profile)):
        assert spec["securityContext"]["runAsNonRoot"] is True, name
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert spec["automountServiceAccountToken"] is False, name
        for container in spec["containers"]:
            context = container["securityContext"]
            assert context["allowPrivilegeEscalation"] is False, name
            assert context["readOnlyRootFilesystem"] is True, name
            assert context["capabilities"] == {"drop": ["ALL"]}, name
            assert container["resources"]["limits"]["memory"], name
            assert "cpu" not in container["resources"]["limits"], "throttling is loop lag"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_pod_has_its_own_network_policy(profile: Path) -> None:
    objects = render(profile)
    if not list(of_kind(objects, "NetworkPolicy")):
        values = yaml.safe_load(profile.read_text())
        assert values["networkPolicy"] == {"enabled": False}
        return

    covered = {
        item["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        for item in of_kind(objects, "NetworkPolicy")
    }

    labelled = (
        item["metadata"] if item["kind"] == "Pod" else item["spec"]["template"]["metadata"]
        for item in objects
        if item["kind"] in ("Deployment", "Job", "Pod")
    )
    assert {labels["labels"]["app.kubernetes.io/component"] for labels in labelled} <= covered


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_the_grace_holds_the_whole_drain(profile: Path) -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())["drain"]
    values |= yaml.safe_load(profile.read_text()).get("drain", {})

    (gateway,) = of_kind(render(profile), "Deployment", "-gateway")

    spec = gateway["spec"]["template"]["spec"]
    parts = ("propagationSeconds", "windowSeconds", "slackSeconds")
    assert spec["terminationGracePeriodSeconds"] == sum(values[part] for part in parts)
    wait = values["propagationSeconds"]
    hook = {"path": f"/internal/drain?wait={wait}", "port": "inner"}
    assert spec["containers"][0]["lifecycle"]["preStop"]["httpGet"] == hook
    assert gateway["spec"]["progressDeadlineSeconds"] > spec["terminationGracePeriodSeconds"]
    assert gateway["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert gateway["spec"]["minReadySeconds"] == values["windowSeconds"], "one turn at a time"


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_the_settings_are_ones_that_the_processes_accept(
    profile: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (settings,) = of_kind(render(profile), "ConfigMap", "-settings")
    known = {f"PYTAKE_{name.upper()}" for name in Settings.model_fields}
    monkeypatch.chdir(tmp_path)
    for name, value in settings["data"].items():
        assert name in known
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PYTAKE_JWT_SECRET", "k" * 32)
    monkeypatch.setenv("PYTAKE_REDIS_URL", "redis://redis")

    for process in ("gateway", "api", "relay"):
        load(process)


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_no_secret_is_in_a_config_map_and_no_ingress_leads_to_the_inner_port(profile: Path) -> None:
    objects = render(profile)

    for item in of_kind(objects, "ConfigMap", "-settings"):
        assert not [
            name for name in item["data"] if name.endswith(("SECRET", "PASSWORD", "_TOKEN"))
        ]
    for ingress in of_kind(objects, "Ingress"):
        for rule in ingress["spec"]["rules"]:
            for path in rule["http"]["paths"]:
                assert path["backend"]["service"]["port"] == {"name": "http"}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"drain": {"terminationGracePeriodSeconds": 30}}, "shorter than propagation"),
        ({"redis": {"host": ""}}, "redis.host is empty"),
        ({"redis": {"mode": "sentinel"}}, "redis.sentinels is empty"),
        ({"redis": {"mode": "cluster", "database": 3}}, "redis.database must be 0"),
        ({"database": {"existingSecret": ""}}, "database.existingSecret is empty"),
        ({"auth": {"existingSecret": ""}}, "auth.existingSecret is empty"),
        ({"auth": {"algorithms": ["RS256"]}}, "auth.jwksUrl is empty"),
        ({"auth": {"allowedOrigins": ["*"]}}, "must not contain `*`"),
        ({"auth": {"allowedOrigins": []}}, "auth.allowedOrigins is empty"),
        (
            {"ingress": {"enabled": True, "host": "h", "sticky": {"enabled": False}}},
            "ingress.sticky.enabled is false",
        ),
        ({"ingress": {"enabled": True}}, "ingress.host is empty"),
        ({"ingress": {"enabled": True, "host": "h", "timeoutSeconds": 45}}, "would cut idle"),
        ({"gatewayApi": {"enabled": True, "parentRefs": [{"name": "g"}]}}, "sessionPersistence"),
        ({"autoscaling": {"mode": "keda"}}, "prometheusAddress is empty"),
        ({"autoscaling": {"mode": "hpa", "minReplicas": 9, "maxReplicas": 3}}, "is above"),
        ({"settings": {"PYTAKE_JWT_SECRET": "x"}}, "would put a secret into a ConfigMap"),
        ({"whatsapp": {"existingSecret": "wa"}}, "whatsapp.mediaUrl is empty"),
        ({"externalSecrets": {"enabled": True}}, "storeRef.name is empty"),
    ],
)
@pytest.mark.parametrize("helm", HELMS)
def test_values_that_contradict_each_other_stop_with_a_sentence(
    changes: dict[str, Any], sentence: str, helm: str
) -> None:
    with pytest.raises(Refused, match=sentence):
        render(with_values(**changes), helm=helm)


@pytest.mark.parametrize(
    "changes",
    [
        {"replicas": 3},
        {"gateway": {"replicas": 3}},
        {"redis": {"host": "redis", "mode": "standalon"}},
        {"gateway": {"replicaCount": 0}},
        {"settings": {"LOG_LEVEL": "debug"}},
        {"auth": {"algorithms": ["none"]}},
        {"trustedProxies": ["ingress-nginx"]},
    ],
)
def test_values_that_nobody_knows_are_refused_by_the_schema(changes: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        render(with_values(**changes))


def test_schema_and_values_name_the_same_things() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    schema = json.loads((CHART / "values.schema.json").read_text())

    def in_schema(node: dict[str, Any], path: str = "") -> Iterator[str]:
        for key, child in node.get("properties", {}).items():
            here = f"{path}.{key}" if path else key
            yield here
            yield from in_schema(child, here)

    assert set(in_schema(schema)) - {"global"} <= set(leaves(values))
    closed = {path for path in leaves(values) if "." not in path}
    assert closed == set(schema["properties"]) - {"global"}


def test_the_readme_lists_every_value_with_its_meaning() -> None:
    found = importlib.util.spec_from_file_location("document", CHART.parent / "document.py")
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)

    assert (CHART / "README.md").read_text() == module.written(), "run make chart-docs"


def test_a_changed_setting_replaces_the_pods() -> None:
    def checksum(values: dict[str, Any]) -> str:
        (gateway,) = of_kind(render(values), "Deployment", "-gateway")
        found: str = gateway["spec"]["template"]["metadata"]["annotations"]["checksum/settings"]
        return found

    assert checksum(LEAST) != checksum(with_values(gateway={"maxConnections": 7}))


def test_only_a_gateway_that_tells_its_cost_gets_a_token_and_only_to_patch_pods() -> None:
    objects = render(with_values(gateway={"podDeletionCost": True}))

    tokens = {
        name.rsplit("-", 1)[-1]: spec["automountServiceAccountToken"]
        for name, spec in pods(objects)
    }
    assert {name for name, has_token in tokens.items() if has_token} == {"gateway"}
    (role,) = of_kind(objects, "Role")
    assert role["rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["patch"]}]
    (gateway,) = of_kind(objects, "Deployment", "-gateway")
    spec = gateway["spec"]["template"]["spec"]
    (binding,) = of_kind(objects, "RoleBinding")
    assert binding["subjects"][0]["name"] == spec["serviceAccountName"]
    (name,) = [
        each for each in spec["containers"][0]["env"] if each["name"] == "PYTAKE_DELETION_COST_POD"
    ]
    assert name["valueFrom"] == {"fieldRef": {"fieldPath": "metadata.name"}}
    for item in objects:
        for version in KUBERNETES:
            kubernetes_validate.validate(item, version, strict=True)


def test_proxies_wait_longer_than_ping_and_timeout_together() -> None:
    ingress = {"enabled": True, "host": "h", "profile": "ingress-nginx"}
    gateway = {"pingIntervalSeconds": 60, "pingTimeoutSeconds": 30}

    found = list(of_kind(render(with_values(ingress=ingress, gateway=gateway)), "Ingress"))

    for item in found:
        annotations = item["metadata"]["annotations"]
        assert int(annotations["nginx.ingress.kubernetes.io/proxy-read-timeout"]) == 155


def test_only_the_gateway_is_sticky() -> None:
    ingress = {"enabled": True, "host": "h", "profile": "ingress-nginx"}

    objects = render(with_values(ingress=ingress))

    (gateway,) = of_kind(objects, "Ingress", "-gateway")
    (api,) = of_kind(objects, "Ingress", "-api")
    assert gateway["metadata"]["annotations"]["nginx.ingress.kubernetes.io/affinity"] == "cookie"
    assert "nginx.ingress.kubernetes.io/affinity" not in api["metadata"]["annotations"]


@pytest.mark.parametrize(
    ("redis", "url"),
    [
        ({"host": "r"}, "redis://r:6379/0"),
        ({"host": "r", "tls": {"enabled": True}}, "rediss://r:6379/0"),
        (
            {"host": "r", "existingSecret": "s", "username": "ana"},
            "redis://ana:$(REDIS_PASSWORD)@r:6379/0",
        ),
        (
            {"mode": "sentinel", "sentinels": ["a:1", "b:2"], "masterName": "m"},
            "redis+sentinel://a:1,b:2/0/m",
        ),
        ({"mode": "cluster", "host": "r"}, "redis+cluster://r:6379/0"),
    ],
)
def test_the_address_of_redis_follows_its_mode(redis: dict[str, Any], url: str) -> None:
    (gateway,) = of_kind(render(with_values(redis=redis)), "Deployment", "-gateway")

    environment = gateway["spec"]["template"]["spec"]["containers"][0]["env"]
    found = {item["name"]: item.get("value") for item in environment}
    assert found["PYTAKE_REDIS_URL"] == url


def test_the_program_finds_behind_the_sentinels_what_the_chart_means() -> None:
    redis = {"mode": "sentinel", "sentinels": ["a:1", "b:2"], "masterName": "m", "database": 3}
    (gateway,) = of_kind(render(with_values(redis=redis)), "Deployment", "-gateway")

    environment = gateway["spec"]["template"]["spec"]["containers"][0]["env"]
    (url,) = (item["value"] for item in environment if item["name"] == "PYTAKE_REDIS_URL")
    address = parse_address(url)

    assert (address.service, address.database) == ("m", 3)
    assert address.nodes == (("a", 1), ("b", 2))


def test_a_disabled_alert_is_left_out() -> None:
    groups = yaml.safe_load((CHART / "files" / "rules.yaml").read_text())["groups"]
    names = [rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule]

    rules = {"enabled": True, "disabled": names[:1]}
    (rule,) = of_kind(render(with_values(prometheusRule=rules)), "PrometheusRule")

    left = [item.get("alert") for group in rule["spec"]["groups"] for item in group["rules"]]
    assert set(names[:1]).isdisjoint(left)
    assert set(names[1:]) <= set(left)


def test_runbooks_and_dashboards_come_along() -> None:
    rules = {"enabled": True, "runbookBaseUrl": "https://docs.example.com/runbooks/"}

    objects = render(with_values(prometheusRule=rules, dashboards={"enabled": True}))

    (rule,) = of_kind(objects, "PrometheusRule")
    alerts = [
        item for group in rule["spec"]["groups"] for item in group["rules"] if "alert" in item
    ]
    for alert in alerts:
        address = f"https://docs.example.com/runbooks/{alert['alert']}.md"
        assert alert["annotations"]["runbook_url"] == address
    boards = [
        item for item in of_kind(objects, "ConfigMap") if "-dashboard-" in item["metadata"]["name"]
    ]
    assert len(boards) == len(list((CHART / "files" / "dashboards").glob("*.json"))) >= 4
    for board in boards:
        assert board["metadata"]["labels"]["grafana_dashboard"] == "1"
        (text,) = board["data"].values()
        assert json.loads(text)["panels"]
