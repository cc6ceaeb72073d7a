"""People on the other side: they answer, they write by themselves, they go silent.

A persona says how somebody behaves. `friendly` answers what an agent writes, `chatty` does
so twice, `silent` only reads, `sender` sends files, places and voice notes as well, `blocked` gets
nothing. In `quiet` mode nobody writes unless written to.
"""

import asyncio
import hashlib
from dataclasses import dataclass
from typing import Any

from pytake.simulator.course import Course
from pytake.simulator.world import Customer, MediaFile, Sent, World

ANSWERS = (
    "Perfeito, muito obrigado!",
    "Entendi. E qual é o prazo de entrega?",
    "Consegue parcelar em 3x no cartão?",
    "Ah, ótimo! Pode mandar o link, por favor? 😊",
    "Vou falar com a minha esposa e já te respondo.",
    "Isso mesmo, é esse pedido.",
    "Ainda não chegou nada por aqui…",
    "Show! Fechado então 👍",
    "Qual é o horário de atendimento amanhã?",
    "Certo, fico no aguardo.",
)
OPENINGS = (
    "Oi, bom dia! Vocês entregam em Campinas?",
    "Boa tarde, meu pedido ainda não chegou. Consegue verificar?",
    "Olá! Ainda tem a mesa de jantar na promoção?",
    "Preciso trocar o tamanho, como faço?",
    "A nota fiscal veio com o CPF errado 😕",
    "Vocês abrem no feriado?",
    "Recebi o boleto mas o código de barras não passa.",
    "Queria saber se dá para retirar na loja.",
)
PLACES = ((-23.5614, -46.6559, "MASP"), (-22.9519, -43.2105, "Cristo Redentor"))
# The beginning of a file of sound, without any.
SILENCE = b"OggS\x00\x02" + bytes(22)
# One blue pixel.
PIXEL = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63"
    "50bd9c0600027f015f57dc2a720000000049454e44ae426082"
)


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast people are, in seconds."""

    answer_after: tuple[float, float] = (2.0, 5.0)
    writes_every: float | None = 25.0
    """About how often somebody writes by himself; None for never."""


class Customers:
    """Lets the customers of a world live."""

    def __init__(self, world: World, course: Course, pace: Pace) -> None:
        self._world = world
        self._course = course
        self._pace = pace
        self._answering: asyncio.Queue[Sent] = asyncio.Queue()
        course.on_accepted = self._answering.put_nowait

    async def run(self) -> None:
        """Live until cancelled."""
        async with asyncio.TaskGroup() as group:
            if self._pace.writes_every is not None:
                group.create_task(self._write_now_and_then(self._pace.writes_every))
            while True:
                sent = await self._answering.get()
                group.create_task(self._answer(sent))

    async def _answer(self, sent: Sent) -> None:
        customer = sent.customer
        if customer.persona in ("silent", "blocked") or sent.body.get("type") == "reaction":
            return
        dice = self._world.dice
        low, high = self._pace.answer_after
        await self._world.time.sleep(dice.between(low, high, "answer after", sent.id))
        if dice.happens(0.15, "only a reaction", sent.id):
            self._course.react(customer, sent.id)
            return
        self._course.write(customer, self.saying(customer, ANSWERS, sent.id))
        if customer.persona == "chatty":
            await self._world.time.sleep(1.5)
            self._course.write(customer, self.saying(customer, ANSWERS, sent.id, "again"))

    async def _write_now_and_then(self, every: float) -> None:
        turn = 0
        while True:
            turn += 1
            pause = self._world.dice.between(0.6 * every, 1.4 * every, "pause", turn)
            await self._world.time.sleep(pause)
            awake = [c for c in self._world.customers.values() if c.persona in _STARTERS]
            if awake:
                who = awake[self._world.dice.index(len(awake), "who", turn)]
                self._course.write(who, self.saying(who, OPENINGS, turn))

    def saying(self, customer: Customer, texts: tuple[str, ...], *key: object) -> dict[str, Any]:
        """Return the message that this customer writes now."""
        dice = self._world.dice
        if customer.persona == "sender" and dice.happens(0.5, "a file", *key):
            return self._something_else(*key)
        text = texts[dice.index(len(texts), "words", *key)]
        return {"type": "text", "text": {"body": text}}

    def _something_else(self, *key: object) -> dict[str, Any]:
        kind = self._world.dice.index(4, "kind", *key)
        if kind == 0:
            latitude, longitude, name = PLACES[self._world.dice.index(2, "place", *key)]
            place = {"latitude": latitude, "longitude": longitude, "name": name}
            return {"type": "location", "location": place}
        if kind == 1:
            sound = keep_file(self._world, SILENCE + str(key).encode(), "audio/ogg")
            voice = {"id": sound.id, "mime_type": "audio/ogg; codecs=opus", "voice": True}
            return {"type": "audio", "audio": voice | {"sha256": sound.sha256}}
        media = keep_file(self._world, PIXEL + str(key).encode(), "image/png")
        body: dict[str, Any] = {"id": media.id, "mime_type": "image/png", "sha256": media.sha256}
        if kind == 2:
            body["caption"] = "Olha como chegou"
            return {"type": "image", "image": body}
        return {"type": "document", "document": body | {"filename": "comprovante.png"}}


PERSONAS = ("friendly", "chatty", "sender", "silent", "blocked")
_STARTERS = frozenset(("friendly", "chatty", "sender"))


def keep_file(world: World, data: bytes, mime_type: str) -> MediaFile:
    """Put a file where the Graph API gives it out."""
    digest = hashlib.sha256(data).hexdigest()
    media = MediaFile(str(int(digest[:12], 16)), data, mime_type, digest)
    return world.media.setdefault(media.id, media)
