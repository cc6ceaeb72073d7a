"""API, relay and simulator as processes of their own: what dies is taken over."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from cluster.pods import Pod, run_pytake
from cluster.programs import ProgramFailed, free_port
from cluster.redis_server import RedisServer
from cluster.waiting import wait_until

pytestmark = pytest.mark.integration

SECRET = "a secret of thirty-two bytes or so"


@dataclass
class Platform:
    """One of each, and a second relay where a test wants it."""

    folder: Path
    settings: dict[str, str]
    organization: str
    api: Pod
    simulator: Pod
    relays: list[Pod]

    def relay(self) -> Pod:
        pod = Pod("relay", f"relay-{len(self.relays)}", self.folder, self.settings)
        pod.start()
        pod.wait_until_serving()
        self.relays.append(pod)
        return pod

    def call(self, method: str, path: str, body: Any = None) -> Any:
        claims = {
            "sub": "robot",
            "organization_id": self.organization,
            "role": "bot",
            "exp": int(time.time()) + 600,
        }
        headers = {"Authorization": f"Bearer {jwt.encode(claims, SECRET)}"}
        url = f"{self.api.address}/api/v1{path}"
        answer = httpx.request(method, url, json=body, headers=headers, timeout=10)
        return answer.raise_for_status().json()

    def customer_writes(self, text: str, phone: str = "5511987654321") -> None:
        people = {"phone": phone, "name": "Clara", "persona": "silent"}
        control = f"{self.simulator.address}/control/customers"
        wa_id = httpx.post(control, json=people).json()["items"][0]["wa_id"]
        httpx.post(f"{control}/{wa_id}/messages", json={"text": text}).raise_for_status()

    def conversation(self) -> dict[str, Any] | None:
        found: list[dict[str, Any]] = self.call("GET", "/conversations")["items"]
        return found[0] if found else None

    def message(self, conversation_id: str, message_id: str) -> dict[str, Any]:
        page = self.call("GET", f"/conversations/{conversation_id}/messages")
        return next(each for each in page["items"] if each["id"] == message_id)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[Platform]:
    redis = RedisServer(tmp_path)
    redis.start()
    redis.wait_until_serving()
    api_port, simulator_port = free_port(), free_port()
    settings = {
        "PYTAKE_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path / 'platform.db'}",
        "PYTAKE_REDIS_URL": redis.url,
        "PYTAKE_MEDIA_URL": f"file:{tmp_path / 'media'}",
        "PYTAKE_JWT_SECRET": SECRET,
        "PYTAKE_WHATSAPP_APP_SECRET": "app secret",
        "PYTAKE_WHATSAPP_VERIFY_TOKEN": "verify me",
        "PYTAKE_WHATSAPP_ACCESS_TOKEN": "access token",
        "PYTAKE_WHATSAPP_PHONE_NUMBER_ID": "1065",
        "PYTAKE_WHATSAPP_API_URL": f"http://127.0.0.1:{simulator_port}",
    }
    run_pytake("migrate", settings=settings, folder=tmp_path)
    organization = run_pytake(
        "create", "organization", "Loja", settings=settings, folder=tmp_path
    ).strip()
    api = Pod("api", "api", tmp_path, settings)
    api.env |= {"PYTAKE_PORT": str(api_port)}  # type: ignore[operator]
    simulator = Pod("simulate-whatsapp", "simulator", tmp_path, settings)
    simulator.env |= {"PYTAKE_PORT": str(simulator_port)}  # type: ignore[operator]
    simulator.command += ["--webhook-url", f"http://127.0.0.1:{api_port}", "--quiet"]
    made = Platform(tmp_path, settings, organization, api, simulator, [])
    try:
        for pod in (api, simulator):
            pod.start()
            pod.wait_until_serving()
        yield made
    finally:
        for pod in (*made.relays, simulator, api):
            if pod.is_running:
                pod.kill()
        redis.kill()


def test_a_message_travels_in_and_the_answer_out_and_is_read(platform: Platform) -> None:
    platform.relay()
    platform.customer_writes("Oi, tudo bem? 😊")
    conversation = wait_until(platform.conversation, "the customer's conversation")
    assert conversation["last_message"]["content"]["text"] == "Oi, tudo bem? 😊"
    assert conversation["window_expires_at"] is not None

    sent = platform.call(
        "POST", f"/conversations/{conversation['id']}/messages", {"content": {"text": "Tudo!"}}
    )

    def is_read() -> bool:
        return bool(platform.message(conversation["id"], sent["id"])["status"] == "read")

    wait_until(is_read, "the answer is read", 15)
    message = platform.message(conversation["id"], sent["id"])
    assert message["whatsapp_message_id"].startswith("wamid.")
    assert message["sent_at"] is not None


def test_a_relay_leaves_before_its_signal_and_nobody_is_connected_to_it(
    platform: Platform,
) -> None:
    relay = platform.relay()

    left = httpx.get(f"{relay.inner_address}/internal/drain")
    ready = httpx.get(f"{relay.inner_address}/readyz")
    connections = httpx.get(f"{relay.inner_address}/internal/connections?user=ana")

    assert left.status_code == 202
    assert ready.json()["reasons"] == {"drain": "draining"}
    assert connections.json()["items"] == []
    assert relay.stop() == 0


def test_check_asks_whatsapp_whether_it_takes_the_token(platform: Platform) -> None:
    def check(**changes: str) -> str:
        settings = platform.settings | changes
        try:
            return run_pytake("check", settings=settings, folder=platform.folder)
        except ProgramFailed as failed:
            return str(failed)

    assert "1 number(s), and WhatsApp takes their tokens" in check()
    refused = check(PYTAKE_WHATSAPP_ACCESS_TOKEN="an old token")
    assert "1065: WhatsApp refuses it (190: " in refused
    assert "an old token" not in refused


def test_a_relay_that_is_killed_is_taken_over_and_nothing_is_lost(platform: Platform) -> None:
    first = platform.relay()
    platform.relay()
    platform.customer_writes("antes")
    conversation = wait_until(platform.conversation, "the customer's conversation")

    first.kill()
    platform.customer_writes("depois")
    sent = platform.call(
        "POST", f"/conversations/{conversation['id']}/messages", {"content": {"text": "Aqui!"}}
    )

    def is_read() -> bool:
        return bool(platform.message(conversation["id"], sent["id"])["status"] == "read")

    wait_until(is_read, "the answer is read", 25)
    page = platform.call("GET", f"/conversations/{conversation['id']}/messages")["items"]
    assert [m["content"]["text"] for m in page if m["direction"] == "inbound"] == [
        "antes",
        "depois",
    ]
    state = httpx.get(f"{platform.simulator.address}/control/state").json()
    assert state["counts"]["accepted"] == 1


def test_a_stopped_relay_ends_with_0_and_gives_its_leases_back(platform: Platform) -> None:
    first = platform.relay()
    platform.customer_writes("um")
    wait_until(platform.conversation, "the customer's conversation")

    assert first.stop() == 0
    platform.relay()
    began = time.monotonic()
    platform.customer_writes("dois", phone="5511987650000")
    wait_until(lambda: len(platform.call("GET", "/conversations")["items"]) == 2, "the second one")

    assert time.monotonic() - began < 5


def test_nonsense_with_a_good_signature_is_taken_and_shown_to_admins(platform: Platform) -> None:
    import hashlib
    import hmac

    platform.relay()
    body = b'{"hello": ' + uuid.uuid4().hex.encode()
    digest = hmac.new(b"app secret", body, hashlib.sha256).hexdigest()
    url = f"{platform.api.address}/api/v1/webhooks/whatsapp"

    good = httpx.post(url, content=body, headers={"X-Hub-Signature-256": f"sha256={digest}"})
    wrong = httpx.post(url, content=body, headers={"X-Hub-Signature-256": "sha256=00"})
    large = httpx.post(url, content=b"x" * (5 * 1024 * 1024))

    assert [each.status_code for each in (good, wrong, large)] == [200, 401, 413]
    claims = {"sub": "chief", "organization_id": platform.organization, "role": "admin",
              "exp": int(time.time()) + 600}  # fmt: skip
    headers = {"Authorization": f"Bearer {jwt.encode(claims, SECRET)}"}

    def quarantined() -> list[dict[str, Any]]:
        answer = httpx.get(f"{platform.api.address}/api/v1/quarantine", headers=headers)
        items: list[dict[str, Any]] = answer.raise_for_status().json()["items"]
        return items

    (item,) = wait_until(quarantined, "the item in quarantine")
    assert item["reason"].startswith("not JSON")
