"""The Graph API as far as messaging needs it, with Meta's own shapes and errors."""

import asyncio
import hashlib
import itertools
import re
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from pytake.simulator.course import Course
from pytake.simulator.envelopes import TITLES
from pytake.simulator.throughput import GraphRefusal, Throughput
from pytake.simulator.world import Customer, MediaFile, Number, World

MAX_TEXT = 4096
NEVER = 3600.0
TYPING_SECONDS = 25.0
MEDIA_LIMITS = {
    "image/jpeg": 5_000_000,
    "image/png": 5_000_000,
    "image/webp": 500_000,
    "audio/aac": 16_000_000,
    "audio/amr": 16_000_000,
    "audio/mpeg": 16_000_000,
    "audio/mp4": 16_000_000,
    "audio/ogg": 16_000_000,
    "video/mp4": 16_000_000,
    "video/3gpp": 16_000_000,
}
MAX_DOCUMENT = 100_000_000
FILES = frozenset(("image", "video", "audio", "document", "sticker"))
TYPES = FILES | {"text", "location", "contacts", "reaction", "interactive", "template"}


def refusal(error: GraphRefusal) -> JSONResponse:
    title = TITLES.get(error.code, f"Error {error.code}")
    return JSONResponse(
        {
            "error": {
                "message": f"(#{error.code}) {title}",
                "type": "OAuthException",
                "code": error.code,
                "error_data": {"messaging_product": "whatsapp", "details": error.details},
                "fbtrace_id": f"SIM{error.code}",
            }
        },
        error.http_status,
    )


class GraphApi:
    """The routes. `base_url` is where files are downloaded from, as the outside sees it."""

    def __init__(self, world: World, course: Course, throughput: Throughput, base_url: str) -> None:
        self._world = world
        self._course = course
        self._throughput = throughput
        self.base_url = base_url.rstrip("/")
        self._numbers = itertools.count(1)

    def routes(self) -> list[Route]:
        return [
            Route("/{version}/{number}/messages", self._guarded(self._messages), methods=["POST"]),
            Route("/{version}/{number}/media", self._guarded(self._upload), methods=["POST"]),
            Route("/{version}/{account}/message_templates", self._guarded(self._templates)),
            Route("/media-files/{media}", self._download),
            Route("/{version}/{thing}", self._guarded(self._thing)),
        ]

    def _guarded(self, handler: Any) -> Any:
        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)  # type: ignore[no-any-return]
            except GraphRefusal as error:
                return refusal(error)

        return guarded

    def _authorized(self, request: Request) -> Number:
        """Return the number that the token is for."""
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        for number in self._world.numbers.values():
            if number.access_token == token:
                return number
        raise GraphRefusal(190, "The access token could not be decrypted.", 401)

    def _number(self, request: Request) -> Number:
        authorized = self._authorized(request)
        if request.path_params["number"] != authorized.phone_number_id:
            raise GraphRefusal(33, "Object does not exist or permissions are missing.")
        return authorized

    # --- messages ------------------------------------------------------------------------

    async def _messages(self, request: Request) -> Response:
        number = self._number(request)
        body = await _json(request)
        if body.get("messaging_product") != "whatsapp":
            raise GraphRefusal(100, "messaging_product must be whatsapp.")
        if body.get("status") == "read":
            return self._mark_read(body)
        customer = self._recipient(body)
        self._throughput.take(number, customer)
        self._check(customer, body)
        return await self._outcome(number, customer, body)

    def _mark_read(self, body: dict[str, Any]) -> Response:
        message_id = body.get("message_id")
        written = self._course.written(message_id) if isinstance(message_id, str) else None
        if written is None:
            raise GraphRefusal(131009, "message_id must name a message of a customer.")
        written.customer.read_up_to = message_id
        if body.get("typing_indicator"):
            written.customer.business_types_until = self._world.time.now() + TYPING_SECONDS
        return JSONResponse({"success": True})

    async def _outcome(self, number: Number, customer: Customer, body: dict[str, Any]) -> Response:
        faults, dice = self._world.faults, self._world.dice
        callback_data = str(body.get("biz_opaque_callback_data") or next(self._numbers))
        attempt = self._throughput.attempts(callback_data)
        key = self._throughput.name(customer, callback_data)
        if dice.happens(faults.refused, "refused", key):
            codes = [code for code in faults.failure_codes if code != 131053]
            code = codes[dice.index(len(codes), "refused code", key)]
            raise GraphRefusal(code, "A fault was switched on.")
        if dice.happens(faults.busy, "busy", key, attempt):
            kind = dice.index(2, "busy kind", key, attempt)
            raise GraphRefusal((131000, 130429)[kind], "A fault was switched on.", 500 - kind * 71)
        if dice.happens(faults.lost_request, "lost_request", key, attempt):
            await asyncio.sleep(NEVER)
        early = dice.happens(faults.status_before_response, "early", key)
        sent = self._course.accept(number, customer, body, name=key, before_answer=early)
        try:
            if dice.happens(faults.lost_response, "lost_response", key, attempt):
                await asyncio.sleep(NEVER)
            if early:
                await self._world.time.sleep(0.2)
        except asyncio.CancelledError:
            # The sender has hung up: it will never hear that this message was taken.
            self._course.answer_lost(sent)
            raise
        return JSONResponse(
            {
                "messaging_product": "whatsapp",
                "contacts": [
                    {"input": body.get("to") or body.get("recipient"), "wa_id": customer.wa_id}
                ],
                "messages": [{"id": sent.id, "message_status": "accepted"}],
            }
        )

    def _recipient(self, body: dict[str, Any]) -> Customer:
        address = body.get("to") or body.get("recipient")
        if not isinstance(address, str) or not address:
            raise GraphRefusal(131008, "The parameter to is required.")
        digits = address.lstrip("+")
        customer = self._world.customer(digits)
        if customer is None:
            if not self._world.accepts_strangers or not digits.isdigit():
                raise GraphRefusal(131026, "Receiver is incapable of receiving this message.")
            customer = self._world.add_customer(digits, f"Cliente {digits[-4:]}", has_written=True)
        return customer

    def _check(self, customer: Customer, body: dict[str, Any]) -> None:
        kind = body.get("type", "text")
        if kind not in TYPES:
            raise GraphRefusal(131009, f"type {kind!r} is not valid.")
        part = body.get(kind)
        if part is None:
            raise GraphRefusal(131008, f"The parameter {kind} is required.")
        if kind == "text" and not 0 < len(str(part.get("body", ""))) <= MAX_TEXT:
            raise GraphRefusal(131009, "text.body must have 1 to 4096 characters.")
        if kind in FILES and "link" not in part and part.get("id") not in self._world.media:
            raise GraphRefusal(131053, "The media id does not exist.")
        if kind == "template":
            self._check_template(customer, part)
        elif not customer.window_is_open(self._world.time.now()):
            raise GraphRefusal(131047, "More than 24 hours have passed since the last reply.")

    def _check_template(self, customer: Customer, part: dict[str, Any]) -> None:
        language = (part.get("language") or {}).get("code")
        for template in self._world.templates:
            if template["name"] == part.get("name") and template["language"] == language:
                if template["status"] != "APPROVED":
                    raise GraphRefusal(132015, "The template is not approved.")
                if template["category"] == "MARKETING" and customer.wants_no_marketing:
                    raise GraphRefusal(131050, "The user has stopped marketing messages.")
                _check_parameters(template, part)
                return
        raise GraphRefusal(132001, "The template does not exist in this language.")

    # --- files, templates, the number ----------------------------------------------------

    async def _upload(self, request: Request) -> Response:
        self._number(request)
        async with request.form() as form:
            file = form.get("file")
            if file is None or isinstance(file, str):
                raise GraphRefusal(100, "file is required.")
            data = await file.read()
            mime_type = str(form.get("type") or file.content_type)
        if len(data) > MEDIA_LIMITS.get(mime_type, MAX_DOCUMENT):
            raise GraphRefusal(131053, "The file is too large.")
        media = self.keep(data, mime_type)
        return JSONResponse({"id": media.id})

    def keep(self, data: bytes, mime_type: str) -> MediaFile:
        """Keep a file, as if it had been uploaded."""
        digest = hashlib.sha256(data).hexdigest()
        media = MediaFile(f"{int(digest[:12], 16)}", data, mime_type, digest)
        return self._world.media.setdefault(media.id, media)

    async def _download(self, request: Request) -> Response:
        self._authorized(request)
        media = self._world.media.get(request.path_params["media"])
        faults, dice = self._world.faults, self._world.dice
        asked = request.query_params.get("asked")
        if media is None:
            return Response(status_code=404)
        if asked == "1" and dice.happens(faults.expired_media, "expired", media.id):
            return Response(status_code=404)
        if dice.happens(faults.slow_media, "slow_media", media.id):
            await self._world.time.sleep(faults.slow_media_seconds)
        return Response(media.data, media_type=media.mime_type)

    async def _templates(self, request: Request) -> Response:
        self._authorized(request)
        return JSONResponse({"data": self._world.templates, "paging": {}})

    async def _thing(self, request: Request) -> Response:
        number = self._authorized(request)
        thing = request.path_params["thing"]
        media = self._world.media.get(thing)
        if media is not None:
            media.asked += 1
            return JSONResponse(
                {
                    "messaging_product": "whatsapp",
                    "url": f"{self.base_url}/media-files/{media.id}?asked={media.asked}",
                    "mime_type": media.mime_type,
                    "sha256": media.sha256,
                    "file_size": len(media.data),
                    "id": media.id,
                }
            )
        if thing != number.phone_number_id:
            raise GraphRefusal(100, f"Unsupported get request. Object {thing!r} does not exist.")
        return JSONResponse(
            {
                "id": number.phone_number_id,
                "display_phone_number": number.display_phone_number,
                "verified_name": "PyTake Demo",
                "quality_rating": number.quality_rating,
                "messaging_limit_tier": number.messaging_limit,
                "throughput": {"level": "STANDARD"},
                "whatsapp_business_account": {"id": number.account_id},
            }
        )


def _check_parameters(template: dict[str, Any], part: dict[str, Any]) -> None:
    """As many values as the text has places."""
    text = next((c["text"] for c in template["components"] if c["type"] == "BODY"), "")
    wanted = len(set(re.findall(r"\{\{\w+\}\}", text)))
    given = sum(
        len(component.get("parameters") or [])
        for component in part.get("components") or []
        if isinstance(component, dict) and str(component.get("type", "")).lower() == "body"
    )
    if given != wanted:
        raise GraphRefusal(132000, f"body: number of parameters ({given}) is not {wanted}.")


async def _json(request: Request) -> dict[str, Any]:
    try:
        body = await request.json()
    except ValueError:
        raise GraphRefusal(100, "The body is no JSON.") from None
    if not isinstance(body, dict):
        raise GraphRefusal(100, "The body is no object.")
    return body
