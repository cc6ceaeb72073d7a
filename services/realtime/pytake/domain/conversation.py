"""A conversation with one customer, and who may see and change it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from pytake.domain.ids import ChannelId, ContactId, ConversationId, OrganizationId, UserId
from pytake.domain.message import Message
from pytake.domain.principal import Principal


class ConversationStatus(StrEnum):
    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Contact:
    id: ContactId
    name: str
    phone: str | None
    """Digits with a leading plus, or None where the customer hides the number."""
    marketing_opt_out_at: datetime | None = None
    """Since when the customer wants no marketing messages."""


@dataclass(frozen=True, slots=True)
class Conversation:
    """One conversation as its reader sees it.

    `unread_count` is the reader's own; in news to a shared room it counts what
    nobody has read. `acl_version` grows with every change of who may see it.
    """

    id: ConversationId
    organization_id: OrganizationId
    contact: Contact
    channel_id: ChannelId | None
    status: ConversationStatus
    assigned_to: UserId | None
    unread_count: int
    inbound_count: int
    last_message: Message | None
    last_seq: int
    acl_version: int
    epoch: str
    window_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Access:
    """The little that a permission check needs to know of a conversation."""

    organization_id: OrganizationId
    assigned_to: UserId | None
    acl_version: int
    organization_acl_version: int
    head: int = 0


def may_see(principal: Principal, organization_id: str, assigned_to: str | None) -> bool:
    """Whether the principal may read the conversation and write in it.

    Agents see what is assigned to them or to nobody; admins and bots see the
    organization. Nobody sees another organization.
    """
    if principal.organization_id != organization_id:
        return False
    return principal.sees_organization or assigned_to in (None, principal.user_id)


def may_assign(principal: Principal, current: str | None, wanted: str | None) -> bool:
    """Whether the principal may move a conversation it sees from one assignee to another.

    Admins and bots may always. An agent may take an unassigned one, and hand on
    or give back its own.
    """
    if principal.sees_organization:
        return True
    if current is None:
        return wanted == principal.user_id
    return current == principal.user_id
