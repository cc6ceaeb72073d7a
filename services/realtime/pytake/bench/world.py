"""Organizations, conversations and users of a load, made through the server's own API.

Users are made by signing tokens with the server's key: a valid token is enough, so the cap of
connections per user holds without changing it. Everything lives in organizations of its
own, which have no WhatsApp number: nothing leaves the platform.
"""

import asyncio
import itertools
import socket
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit
from uuid import uuid4

import httpx

from pytake.bench.dialect import Product, Room, Seat
from pytake.bench.load import CannotConnect
from pytake.bench.swarm import Address

Sign = Callable[[str, str, str], str]
"""(user, organization, role) → token."""

ROOMS_A_WRITER = 50
_AT_ONCE = 8


@dataclass(frozen=True)
class People:
    """Who connects."""

    connections: int
    rooms: int
    organizations: int = 0
    """0: one for each room, so that nobody hears of other rooms in the lists."""
    connections_per_user: int = 1
    role: str = "agent"
    writers: int = 8
    """Bots of each organization: each may post 100 times a second."""


def address_of(url: str, *, verifies: bool = True, compresses: bool = False) -> Address:
    """Return where a URL leads.

    Raises:
        CannotConnect: It is no URL of a server, or its name is unknown.
    """
    parts = urlsplit(url if "//" in url else f"http://{url}")
    is_tls = parts.scheme in ("https", "wss")
    if parts.scheme not in ("http", "https", "ws", "wss") or not parts.hostname:
        raise CannotConnect(f"{url} is no address like http://127.0.0.1:8000")
    port = parts.port or (443 if is_tls else 80)
    try:
        found = socket.getaddrinfo(parts.hostname, port, type=socket.SOCK_STREAM)
    except socket.gaierror as error:
        raise CannotConnect(f"{parts.hostname}: {error.strerror}") from error
    # "localhost" is two addresses, and servers often listen on the older one only.
    found.sort(key=lambda each: each[0] != socket.AF_INET)
    ip = str(found[0][4][0])
    return Address(
        ip,
        port,
        parts.hostname,
        is_tls=is_tls,
        verifies=verifies,
        compresses=compresses,
        path=parts.path if len(parts.path) > 1 else "/socket.io/",
    )


def make_world(
    address: Address, sign: Sign, people: People, api: Address | None = None
) -> tuple[Product, list[Seat]]:
    """Open the conversations and return how to speak to the server, and who connects.

    Args:
        api: Where REST is, if it is not where the sockets are.

    Raises:
        CannotConnect: The server did not answer, or would not have the token.
    """
    organizations = [str(uuid4()) for _ in range(people.organizations or people.rooms)]
    rooms = asyncio.run(_open_rooms(api or address, sign, people, organizations))
    dialect = Product(api or address, rooms)
    users = itertools.count()
    taken: dict[str, list[tuple[str, int]]] = {}
    seats = []
    for number in range(people.connections):
        room = number % len(rooms)
        organization = rooms[room].organization_id
        shared = taken.setdefault(organization, [])
        if not shared or shared[-1][1] >= people.connections_per_user:
            shared.append((sign(_user(next(users)), organization, people.role), 0))
        token, used = shared[-1]
        shared[-1] = (token, used + 1)
        seats.append(
            Seat(
                token,
                room,
                Product.connects_with(token),
                Product.joins_with(rooms[room]),
                rooms[room].head,
            )
        )
    return dialect, seats


_RUN = uuid4().hex[:8]


def _user(number: int) -> str:
    return f"bench-{_RUN}-{number}"


async def _open_rooms(
    address: Address, sign: Sign, people: People, organizations: list[str]
) -> list[Room]:
    scheme = "https" if address.is_tls else "http"
    writers = {
        organization: tuple(
            sign(f"bench-{_RUN}-writer-{number}", organization, "bot")
            for number in range(people.writers)
        )
        for organization in organizations
    }
    places = asyncio.Semaphore(_AT_ONCE)
    async with httpx.AsyncClient(
        base_url=f"{scheme}://{address.authority}/api/v1", verify=address.verifies, timeout=20
    ) as http:

        async def open_room(number: int) -> Room:
            organization = organizations[number % len(organizations)]
            turn = number // len(organizations)
            token = writers[organization][turn % people.writers]
            contact = {"name": f"Customer {number}", "phone": f"+55119{number % 10**8:08d}"}
            async with places:
                answer = await http.post(
                    "/conversations",
                    json={"contact": contact},
                    headers={"Authorization": f"Bearer {token}"},
                )
            if answer.status_code not in (200, 201):
                raise CannotConnect(f"{answer.status_code} to a new conversation: {answer.text}")
            made = answer.json()
            return Room(made["id"], organization, made["last_seq"], writers[organization])

        try:
            return list(await asyncio.gather(*map(open_room, range(people.rooms))))
        except httpx.TransportError as error:
            raise CannotConnect(f"{scheme}://{address.authority}: {error!r}") from error
