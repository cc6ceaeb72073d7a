"""`pytake create organization|user|channel`: what must exist before anybody can sign in."""

import getpass
import sys

from pytake.domain.ids import OrganizationId, parse_uuid
from pytake.domain.principal import Role
from pytake.store import Store
from pytake.tokens.passwords import Argon2Passwords

MIN_PASSWORD_CHARACTERS = 8


class CannotCreate(Exception):
    """What was asked for cannot be made; the text says why."""


def secret_from_standard_input(what: str) -> str:
    """Return the first line of standard input; asks without echo at a terminal."""
    if sys.stdin.isatty():
        return getpass.getpass(f"{what}: ")
    return sys.stdin.readline().rstrip("\r\n")


async def organization_named(store: Store, name: str) -> OrganizationId:
    """Return the organization of this id or name.

    Raises:
        CannotCreate: There is none, or several have the name.
    """
    known = await store.users.organizations()
    wanted = parse_uuid(name)
    found = [each for each, title in known if each == wanted or title == name]
    if len(found) != 1:
        problem = "several organizations are" if found else "no organization is"
        raise CannotCreate(f"{problem} named {name!r}; see `pytake create organization`.")
    return found[0]


async def create_user(
    store: Store, *, organization: str, email: str, name: str, role: Role, password: str
) -> str:
    """Create a user and return its id.

    Raises:
        CannotCreate: The password is too short, or there is no such organization.
        Conflict: The e-mail address is taken.
    """
    if len(password) < MIN_PASSWORD_CHARACTERS:
        raise CannotCreate(f"The password needs at least {MIN_PASSWORD_CHARACTERS} characters.")
    passwords = Argon2Passwords()
    try:
        password_hash = await passwords.hash(password)
    finally:
        passwords.close()
    user = await store.users.create_user(
        await organization_named(store, organization),
        email=email,
        name=name,
        role=role,
        password_hash=password_hash,
    )
    return user.id


async def create_channel(
    store: Store,
    *,
    organization: str,
    name: str,
    phone_number_id: str,
    access_token: str,
    sends_read_marks: bool = False,
    sends_typing: bool = False,
) -> str:
    """Create a WhatsApp number and return its id.

    Raises:
        CannotCreate: The access token is empty, or there is no such organization.
    """
    if not access_token:
        raise CannotCreate("The access token is empty.")
    channel = await store.channels.create_channel(
        await organization_named(store, organization),
        name=name,
        phone_number_id=phone_number_id,
        access_token=access_token,
        sends_read_marks=sends_read_marks,
        sends_typing=sends_typing,
    )
    return channel.id
