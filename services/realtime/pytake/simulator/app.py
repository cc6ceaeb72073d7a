"""Puts the simulator together: one ASGI application and the work behind it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx
from starlette.applications import Starlette

from pytake.simulator.control import Control
from pytake.simulator.course import Course
from pytake.simulator.customers import Customers, Pace
from pytake.simulator.faults import Dice, Faults
from pytake.simulator.graph_api import GraphApi
from pytake.simulator.oracle import Oracle
from pytake.simulator.postman import LARGE_BODY_BYTES, Postman
from pytake.simulator.throughput import Throughput
from pytake.simulator.world import Number, SimulatedTime, World

WEBHOOK_PATH = "/api/v1/webhooks/whatsapp"

TEMPLATES = (
    ("retomar_conversa", "pt_BR", "UTILITY", "Olá {{1}}, podemos continuar a nossa conversa?"),
    ("pedido_enviado", "pt_BR", "UTILITY", "Olá {{1}}, o pedido {{2}} saiu para entrega."),
    ("oferta_da_semana", "pt_BR", "MARKETING", "Olá {{1}}, veja as ofertas da semana!"),
)


@dataclass(frozen=True, slots=True)
class SimulatorOptions:
    """How this WhatsApp is.

    `webhook_url` is the platform's address without a path; `public_url` is where the
    platform reaches the simulator. `per_second` None switches Meta's limits off. `pace` None:
    customers do nothing by themselves.
    """

    webhook_url: str
    app_secret: str
    access_token: str
    phone_number_id: str = "106540352242922"
    display_phone_number: str = "551130000000"
    public_url: str = "http://simulator"
    verify_token: str = ""
    webhook_path: str = WEBHOOK_PATH
    seed: int = 1
    speed: float = 1.0
    faults: Faults = field(default_factory=Faults)
    per_second: float | None = 80.0
    pace: Pace | None = field(default_factory=Pace)
    large_body_bytes: int = LARGE_BODY_BYTES
    sent_after: tuple[float, float] = (0.05, 0.3)
    delivered_after: tuple[float, float] = (0.2, 0.8)
    read_after: tuple[float, float] = (0.5, 2.5)


class Simulator:
    """A running WhatsApp. Make one with `open_simulator`."""

    def __init__(self, options: SimulatorOptions, http: httpx.AsyncClient) -> None:
        number = Number(options.phone_number_id, options.display_phone_number, options.access_token)
        self.options = options
        self.oracle = Oracle()
        self.world = World(
            dice=Dice(options.seed),
            time=SimulatedTime(options.speed),
            numbers={number.phone_number_id: number},
            faults=options.faults,
            templates=[_template(*fields) for fields in TEMPLATES],
        )
        self.postman = Postman(
            self.world,
            http,
            path=options.webhook_path,
            secret=options.app_secret,
            large_body_bytes=options.large_body_bytes,
        )
        self.course = Course(
            self.world,
            self.postman,
            self.oracle,
            sent_after=options.sent_after,
            delivered_after=options.delivered_after,
            read_after=options.read_after,
        )
        self.customers = Customers(self.world, self.course, options.pace or Pace())
        throughput = self._throughput = Throughput(self.world, per_second=options.per_second)
        graph = self._graph = GraphApi(self.world, self.course, throughput, options.public_url)
        control = Control(self.world, self.course, self.postman, self.oracle)
        self.app = Starlette(routes=[*control.routes(), *graph.routes()])
        self._http = http

    def attempts(self, callback_data: str) -> int:
        """Return how many requests have named a message, whatever became of them."""
        return self._throughput.attempts_so_far(callback_data)

    def found_at(self, public_url: str) -> None:
        """Say where files are downloaded from, once that is known."""
        self._graph.base_url = public_url.rstrip("/")

    async def verify(self, challenge: str = "1158201444") -> bool:
        """Set the webhook up as Meta does; True if the challenge came back."""
        query = {
            "hub.mode": "subscribe",
            "hub.verify_token": self.options.verify_token,
            "hub.challenge": challenge,
        }
        answer = await self._http.get(self.options.webhook_path, params=query)
        return answer.status_code == 200 and answer.text == challenge

    async def run(self) -> None:
        """Deliver, and let the customers live, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.postman.run())
            if self.options.pace is not None:
                group.create_task(self.customers.run())

    async def until_idle(self, *, within_seconds: float) -> None:
        """Return once nothing is on its way.

        Raises:
            TimeoutError: Something still is.
        """
        async with asyncio.timeout(within_seconds):
            quiet = 0
            while quiet < 3:
                await asyncio.sleep(0.05)
                quiet = quiet + 1 if self.postman.is_idle else 0


@asynccontextmanager
async def open_simulator(
    options: SimulatorOptions, transport: httpx.AsyncBaseTransport | None = None
) -> AsyncIterator[Simulator]:
    """Open a simulator; its `run()` is the caller's to start.

    `transport` may lead to an application in this process instead of the network.
    """
    async with httpx.AsyncClient(
        base_url=options.webhook_url,
        transport=transport,
        timeout=20.0,
        limits=httpx.Limits(max_connections=64, max_keepalive_connections=64),
    ) as http:
        yield Simulator(options, http)


def _template(name: str, language: str, category: str, text: str) -> dict[str, object]:
    return {
        "id": name,
        "name": name,
        "language": language,
        "status": "APPROVED",
        "category": category,
        "components": [{"type": "BODY", "text": text}],
    }
