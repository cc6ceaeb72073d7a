"""The OpenAPI document against the API: whatever it allows, no answer is a server error.

schemathesis makes requests out of the document, also such that it forbids. Short here,
with `make full` long.
"""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode

from pytake.messages_api.app import build_routes
from pytake.messages_api.services import Services
from rest.server import rest_server

pytestmark = pytest.mark.integration

DOCUMENT = build_routes(cast("Services", None)).openapi()
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
OPERATIONS = {
    f"{method.upper()} {path}": (path, method.upper())
    for path, operations in DOCUMENT["paths"].items()
    for method in operations
}
SHORT, LONG = 15, 1000


@dataclass(frozen=True)
class Running:
    """An API in a thread of its own, and what is in it."""

    url: str
    token: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("schema")
    started: Future[Running] = Future()
    stop = threading.Event()

    async def main(folder: Path) -> None:
        async with rest_server(folder) as rest:
            admin = await rest.person("admin")
            conversation = await admin.opens_conversation()
            file = await admin.call("POST", "/media", files={"file": ("a", b"x")})
            agent = await rest.person()
            note = await admin.post(f"/conversations/{conversation['id']}/notes", {"text": "x"})
            reply = await admin.post("/canned-replies", {"shortcut": "x", "text": "x"})
            ids = {
                "conversation_id": conversation["id"],
                "note_id": note.json()["id"],
                "canned_reply_id": reply.json()["id"],
                "user_id": agent.user_id,
                "contact_id": conversation["contact"]["id"],
                "media_id": file.json()["id"],
            }
            started.set_result(Running(str(rest.client.base_url), admin.token, ids))
            while not stop.is_set():
                await asyncio.sleep(0.05)

    def run() -> None:
        try:
            asyncio.run(main(folder))
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=run)
    thread.start()
    yield started.result(30)
    stop.set()
    thread.join(30)


def try_operation(running: Running, name: str, examples: int) -> None:
    operation = SCHEMA[OPERATIONS[name][0]][OPERATIONS[name][1]]
    modes = st.one_of(
        *(
            operation.as_strategy(generation_mode=mode)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
        )
    )

    @settings(
        max_examples=examples,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
        database=None,
    )
    @given(case=modes, is_known=st.booleans())
    def no_server_error(case: Any, is_known: bool) -> None:
        # Made-up ids end at 404; half of the requests are to reach what is behind it.
        if is_known and case.path_parameters:
            case.path_parameters = {
                key: running.ids.get(key, value) for key, value in case.path_parameters.items()
            }
        answer = case.call(
            base_url=running.url, headers={"Authorization": f"Bearer {running.token}"}
        )
        assert answer.status_code < 500, (answer.status_code, answer.text, case.as_curl_command())

    no_server_error()


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_request_makes_a_server_error(running: Running, name: str) -> None:
    try_operation(running, name, SHORT)


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("name", OPERATIONS)
def test_no_request_of_many_makes_a_server_error(running: Running, name: str) -> None:
    try_operation(running, name, LONG)


def test_the_document_lists_every_route_of_the_contract() -> None:
    below = {name.replace("/api/v1", "") for name in OPERATIONS}

    assert {
        "GET /conversations",
        "POST /conversations",
        "GET /conversations/{conversation_id}",
        "PATCH /conversations/{conversation_id}",
        "GET /conversations/{conversation_id}/messages",
        "POST /conversations/{conversation_id}/messages",
        "POST /messages",
        "GET /conversations/{conversation_id}/events",
        "POST /conversations/{conversation_id}/read",
        "GET /conversations/{conversation_id}/notes",
        "POST /conversations/{conversation_id}/notes",
        "DELETE /conversations/{conversation_id}/notes/{note_id}",
        "GET /labels",
        "GET /canned-replies",
        "POST /canned-replies",
        "PATCH /canned-replies/{canned_reply_id}",
        "DELETE /canned-replies/{canned_reply_id}",
        "POST /media",
        "GET /media/{media_id}",
        "GET /templates",
        "GET /users",
        "POST /users",
        "PATCH /users/{user_id}",
        "POST /users/{user_id}/revoke",
        "GET /channels",
        "POST /channels",
        "GET /quarantine",
        "GET /audit",
        "POST /auth/login",
        "POST /auth/refresh",
        "POST /auth/logout",
    } <= below
