"""Everything that the routes work with, as `processes/` put it together."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from fastapi import Request

from pytake.application.access_ports import AuditLog, TokenVerifier
from pytake.application.change_conversation import ChangeConversation
from pytake.application.channel_ports import ChannelNews, Quarantine, Templates
from pytake.application.files import Files
from pytake.application.keep_canned_replies import KeepCannedReplies
from pytake.application.manage_users import ManageUsers
from pytake.application.mark_read import MarkRead
from pytake.application.open_conversation import OpenConversation
from pytake.application.personal_data import PersonalData
from pytake.application.ports import (
    ChannelDirectory,
    ConversationReader,
    EventLog,
    UserDirectory,
)
from pytake.application.send_message import SendMessage
from pytake.application.sign_in import SignIn
from pytake.application.team_ports import NoteStore
from pytake.application.write_note import WriteNote
from pytake.contract.media_links import MediaLinks
from pytake.domain.ids import OrganizationId, UserId
from pytake.domain.principal import Role
from pytake.messages_api.throttle import Throttle

OnlineUsers = Callable[[Sequence[UserId]], Awaitable[frozenset[UserId]]]
"""Which of the users have a connection anywhere; nobody, where that cannot be known now."""


async def nobody_online(_: Sequence[UserId]) -> frozenset[UserId]:
    """What is known of who is online where no gateway tells."""
    return frozenset()


@dataclass(frozen=True, slots=True)
class Services:
    """Ports and use cases. `sign_in` is None where another provider signs people in."""

    verify: TokenVerifier
    throttle: Throttle
    reader: ConversationReader
    event_log: EventLog
    users: UserDirectory
    channels: ChannelDirectory
    audit: AuditLog
    quarantine: Quarantine
    news: ChannelNews
    templates: Templates
    send_message: SendMessage
    open_conversation: OpenConversation
    change_conversation: ChangeConversation
    mark_read: MarkRead
    notes: NoteStore
    write_note: WriteNote
    canned_replies: KeepCannedReplies
    manage_users: ManageUsers
    personal_data: PersonalData
    sign_in: SignIn | None
    files: Files
    link: MediaLinks
    online_users: OnlineUsers = nobody_online
    max_body_bytes: int = 65_536
    known_principals: set[tuple[UserId, OrganizationId, Role, str]] = field(default_factory=set)


async def services_of(request: Request) -> Services:
    """Return what `create_app` was given.

    Asynchronous because FastAPI would run it in a thread else: a millisecond a request.
    """
    found: Services = request.app.state.api
    return found
