"""Gateways, API, relay, Redis, PostgreSQL and NGINX with TLS, on one machine."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from uuid import uuid4

import httpx
import jwt

from cluster.certificates import create_certificates
from cluster.hosts import Host, Network
from cluster.nginx_server import Flavor, NginxServer
from cluster.pods import Pod, PodKind, run_pytake
from cluster.postgres_server import PostgresServer
from cluster.private_words import private_words_in
from cluster.programs import Program, temporary_folder
from cluster.redis_server import RedisServer

JWT_SECRET = "a secret of the test cluster, 32 bytes or more"
ORGANIZATION = "demo"

_SETTINGS = {
    "PYTAKE_HOST": "127.0.0.1",
    "PYTAKE_JWT_SECRET": JWT_SECRET,
    "PYTAKE_TRUSTED_PROXIES": "127.0.0.1/32",
    # Tests about rates set their own; all others share one address and a few users.
    "PYTAKE_HTTP_RATE_LIMIT": "1000000/minute",
    "PYTAKE_HTTP_RATE_LIMIT_BOT": "1000000/minute",
    "PYTAKE_LOGIN_RATE_LIMIT": "1000000/minute",
    "PYTAKE_ORGANIZATION_RATE_LIMIT": "100000/1",
    "PYTAKE_DRAIN_SECONDS": "1",
}


class Cluster:
    """A cluster that is up between `start` and `stop`, or inside a `with`.

    Redis and PostgreSQL are its own unless they are given; then it has a database of its own and
    shares the Redis, so that only one cluster at a time may use one. With a network, Redis,
    PostgreSQL and each gateway are hosts of their own; NGINX, API and relay stay with the tests.
    `durable` makes its own PostgreSQL keep what it has committed when it is killed.
    """

    def __init__(
        self,
        *,
        gateways: int = 2,
        apis: int = 1,
        relays: int = 1,
        settings: Mapping[str, str] | None = None,
        redis: RedisServer | None = None,
        postgres: PostgresServer | None = None,
        flavor: Flavor = "1.30",
        folder: Path | None = None,
        network: Network | None = None,
        durable: bool = False,
    ) -> None:
        self.folder = folder or temporary_folder("cluster")
        self.certificates = create_certificates(self.folder)
        self._own_servers: list[Program] = []
        self.network = network
        self.redis = redis or self._own(RedisServer(self.folder, host=self._host("redis")))
        self.postgres = postgres or self._own(
            PostgresServer(self.folder, durable=durable, host=self._host("postgres"))
        )
        self.nginx = NginxServer(self.folder, self.certificates, flavor=flavor)
        self.settings = dict(_SETTINGS) | {"PYTAKE_CORS_ALLOWED_ORIGINS": self.nginx.url}
        if network is not None:
            self.settings["PYTAKE_TRUSTED_PROXIES"] += f",{network.address}/32"
        self._chosen_settings = dict(settings or {})
        self._sizes: dict[PodKind, int] = {"api": apis, "gateway": gateways, "relay": relays}
        self._database: str | None = None
        self.pods: list[Pod] = []
        self._removed: list[Pod] = []

    def _host(self, name: str) -> Host | None:
        return self.network.host(name) if self.network is not None else None

    def _own(self, server: Any) -> Any:
        self._own_servers.append(server)
        return server

    # --- Life ---------------------------------------------------------------------------------

    def start(self) -> None:
        """Start everything and return when every pod is ready and the proxy answers."""
        for server in self._own_servers:
            server.start()
        for server in self._own_servers:
            server.wait_until_serving()
        self._database = self.postgres.create_database(template=self._migrated_template())
        self.settings |= {
            "PYTAKE_DATABASE_URL": self.database_url("postgresql+asyncpg"),
            "PYTAKE_DATABASE_LISTEN_URL": self.database_url("postgresql"),
            "PYTAKE_REDIS_URL": self.redis.url,
            **self._chosen_settings,
        }
        for kind, size in self._sizes.items():
            for _ in range(size):
                self._new_pod(kind).start()
        for pod in self.pods:
            pod.wait_until_serving()
        self._route()
        self.nginx.start()
        self.nginx.wait_until_serving()

    def _migrated_template(self) -> str:
        """A database with the newest schema, made once for all clusters of one PostgreSQL."""
        if self.postgres.migrated_template is None:
            name = self.postgres.create_database()
            url = self.postgres.database_url(name, driver="postgresql+asyncpg")
            run_pytake("migrate", settings={"PYTAKE_DATABASE_URL": url}, folder=self.folder)
            self.postgres.migrated_template = name
        return self.postgres.migrated_template

    def stop(self) -> None:
        """Stop everything, whatever state it is in. Pods are killed: a drain is for tests of it.

        Raises:
            AssertionError: The log of a pod holds a token, a phone or a text.
        """
        self.nginx.stop()
        for program in (*self.pods, *self._removed, *reversed(self._own_servers)):
            if program.is_running:
                program.kill()
        if self._database and self.postgres.is_running:  # not our own: that one is gone by now
            self.postgres.drop_database(self._database)
        private = private_words_in(pod.log for pod in (*self.pods, *self._removed))
        assert not private, private[:20]

    def __enter__(self) -> Self:
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- Its parts ----------------------------------------------------------------------------

    @property
    def url(self) -> str:
        """Where clients reach it: the proxy."""
        return self.nginx.url

    @property
    def gateways(self) -> list[Pod]:
        return [pod for pod in self.pods if pod.kind == "gateway"]

    @property
    def apis(self) -> list[Pod]:
        return [pod for pod in self.pods if pod.kind == "api"]

    @property
    def relays(self) -> list[Pod]:
        return [pod for pod in self.pods if pod.kind == "relay"]

    def add(self, kind: PodKind, **settings: str) -> Pod:
        """Start one more pod, route new clients to it as well, and return it when it is ready."""
        pod = self._new_pod(kind, settings)
        pod.start()
        pod.wait_until_serving()
        self._route()
        return pod

    def remove(self, pod: Pod) -> None:
        """Route no new clients to a pod; it runs on."""
        self.pods.remove(pod)
        self._removed.append(pod)
        self._route()

    def stick(self, is_sticky: bool) -> None:
        """Let the proxy keep, or lose, its knowledge of which pod has a session."""
        if is_sticky:
            self.nginx.changes.pop("PYTAKE_NGINX_AFFINITY", None)
        else:
            self.nginx.changes["PYTAKE_NGINX_AFFINITY"] = ""
        self._route()

    def database_url(self, driver: str) -> str:
        assert self._database is not None
        return self.postgres.database_url(self._database, driver=driver)

    def run(self, *arguments: str, stdin: str = "") -> str:
        """Run another command of `pytake` with the settings of the cluster."""
        return run_pytake(*arguments, settings=self.settings, folder=self.folder, stdin=stdin)

    def _new_pod(self, kind: PodKind, settings: Mapping[str, str] | None = None) -> Pod:
        number = sum(pod.kind == kind for pod in (*self.pods, *self._removed)) + 1
        name = f"{kind}-{number}"
        host = self._host(name) if kind == "gateway" else None
        pod = Pod(kind, name, self.folder, self.settings | dict(settings or {}), host)
        self.pods.append(pod)
        return pod

    def _route(self) -> None:
        self.nginx.route(
            gateways=[pod.address for pod in self.gateways],
            apis=[pod.address for pod in self.apis],
        )

    # --- What a user of it does ---------------------------------------------------------------

    def tls(self) -> ssl.SSLContext:
        """What a Python client needs to trust the proxy."""
        return self.certificates.client_context()

    def token(
        self,
        user: str = "ana",
        *,
        role: str = "agent",
        organization: str = ORGANIZATION,
        lifetime_seconds: float = 900,
        **claims: Any,
    ) -> str:
        """A token as the identity provider would sign it. Unknown users come to life with it."""
        payload = {
            "sub": user,
            "organization_id": organization,
            "role": role,
            "name": user.capitalize(),
            "exp": time.time() + lifetime_seconds,
        }
        return jwt.encode(payload | claims, JWT_SECRET, algorithm="HS256")

    def api(self, token: str | None = None) -> httpx.Client:
        """A REST client through the proxy, as an admin unless another token is given."""
        token = token or self.token("admin", role="admin")
        return httpx.Client(
            base_url=f"{self.url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            verify=self.tls(),
        )

    def create_organization(self, name: str) -> str:
        """Make an organization with the operators' command and return its id."""
        return self.run("create", "organization", name).strip()

    def create_user(self, email: str, *, organization: str, role: str, password: str) -> str:
        """Make a user who can sign in with a password, and return the id."""
        options = ("--organization", organization, "--role", role)
        return self.run("create", "user", email, *options, stdin=f"{password}\n").strip()

    def create_conversation(
        self, name: str = "Maria", phone: str | None = None, *, token: str | None = None
    ) -> dict[str, Any]:
        """A new conversation of the organization, assigned to nobody: every agent may join it."""
        contact = {"name": name, "phone": phone or f"+55119{uuid4().int % 10**8:08d}"}
        with self.api(token) as api:
            answer = api.post("/conversations", json={"contact": contact})
        return self._created(answer)

    def send(self, conversation_id: str, text: str, *, token: str | None = None) -> dict[str, Any]:
        """Write a text into a conversation and return the stored message."""
        body = {"message_type": "text", "content": {"text": text}}
        with self.api(token) as api:
            answer = api.post(f"/conversations/{conversation_id}/messages", json=body)
        return self._created(answer)

    @staticmethod
    def _created(answer: httpx.Response) -> dict[str, Any]:
        if answer.status_code != 201:
            raise AssertionError(f"{answer.status_code} instead of 201: {answer.text}")
        created: dict[str, Any] = json.loads(answer.text)
        return created
