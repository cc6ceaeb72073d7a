"""Every parser of what comes from outside: whatever it gets, it answers with a refusal of ours."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import Any

import jwt
import orjson

from pytake.broker.envelope import BadEnvelope, decode
from pytake.contract import bodies
from pytake.contract.client_events import CLIENT_EVENTS
from pytake.domain.errors import PytakeError
from pytake.gateway import guard, handshake
from pytake.limits.addresses import TrustedProxies
from pytake.messages_api import json_bodies
from pytake.tokens.claims import principal_of
from pytake.tokens.verifier import JwtVerifier, TokenRules
from pytake.transport.codec import DEFAULT_CODEC
from pytake.transport.parser import FrameReader
from pytake.whatsapp.payloads import parse_delivery

SECRET = "a secret of thirty-two bytes or so"
BODIES = [
    each
    for each in vars(bodies).values()
    if isinstance(each, type) and issubclass(each, bodies.Request) and each is not bodies.Request
]


class PayloadTarget:
    """Gives each input to every parser that takes text from outside."""

    def __init__(self) -> None:
        self.frames = 0
        self._refused = 0
        self._loop = asyncio.new_event_loop()
        self._verify = JwtVerifier(TokenRules(("HS256", "HS512"), (SECRET,)))
        self._proxies = TrustedProxies(["10.0.0.0/8"])

    def __call__(self, data: bytes) -> None:
        self.frames += 1
        parse_delivery_items(data)
        try:
            decode(data)
        except BadEnvelope:
            self._refused += 1
        reader = FrameReader(2048, compression=True)
        for position in range(0, len(data), 97):
            reader.feed(data[position : position + 97])
        self._tokens(data)
        self._headers(data)
        for model in BODIES:
            self._refusal(lambda model=model: json_bodies.parse(data, model))
        try:
            value = DEFAULT_CODEC.decode(data)
        except ValueError:
            return
        self._json(value)

    def _json(self, value: Any) -> None:
        arguments = value if isinstance(value, list) else [value]
        for event, model in CLIENT_EVENTS.items():
            named = arguments[1:] if arguments[:1] == [event] else arguments
            self._refusal(lambda model=model, named=named: guard.parse(model, named))
        self._refusal(lambda: handshake._parse(value))
        if isinstance(value, dict):
            self._refusal(lambda: principal_of(value, {}))

    def _tokens(self, data: bytes) -> None:
        text = data.decode("utf-8", "replace")
        self._refusal(lambda: self._loop.run_until_complete(self._verify(text)))
        # The same bytes as signed claims, which an issuer of ours would never make.
        header = base64.urlsafe_b64encode(b'{"alg":"HS256"}').rstrip(b"=").decode()
        signed = header + "." + base64.urlsafe_b64encode(data).rstrip(b"=").decode()
        key = jwt.get_algorithm_by_name("HS256")
        signature = key.sign(signed.encode(), key.prepare_key(SECRET))
        token = signed + "." + base64.urlsafe_b64encode(signature).rstrip(b"=").decode()
        self._refusal(lambda: self._loop.run_until_complete(self._verify(token)))

    def _headers(self, data: bytes) -> None:
        headers = [(b"x-forwarded-for", data), (b"x-forwarded-proto", data), (b"x-real-ip", data)]
        self._proxies.address_of("10.0.0.1", headers)
        self._proxies.scheme_of("10.0.0.1", headers, "http")
        self._proxies.budget_of({"client": ("10.0.0.1", 1), "headers": headers})

    def _refusal(self, work: Any) -> None:
        try:
            work()
        except PytakeError as refusal:
            self._refused += 1
            json.dumps(refusal.detail)

    def check(self) -> str:
        return f"{self._refused} refusals, nothing else was raised"


def parse_delivery_items(data: bytes) -> None:
    """Take a delivery apart, and store what comes of it as JSON would be stored."""
    for item in parse_delivery(data):
        assert isinstance(item.lane, str)
        orjson.dumps(getattr(item, "message", None) or getattr(item, "item", None))
