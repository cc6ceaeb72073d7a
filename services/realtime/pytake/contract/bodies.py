"""Bodies of the REST API: what is taken and what is given.

Answers are built by `contract.present`; the models of answers describe them for
OpenAPI, AsyncAPI and TypeScript, and the tests hold both together.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pytake.contract.client_events import Seq, UuidText
from pytake.domain.conversation import ConversationStatus
from pytake.domain.message import Direction, MessageType, SenderType
from pytake.domain.note import MAX_NOTE_LENGTH
from pytake.domain.principal import Role
from pytake.domain.status import MessageStatus

Time = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Uuid = Annotated[str, Field(json_schema_extra={"format": "uuid"})]


class Request(BaseModel):
    """Base of request bodies: members that nobody knows are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Answer(BaseModel):
    """Base of answers; new members may be added, so readers must ignore strangers."""

    model_config = ConfigDict(frozen=True, extra="allow")


# --- what is taken -----------------------------------------------------------------------


class SendMessage(Request):
    """POST /conversations/{id}/messages.

    `client_message_id` makes a retry safe: the same again gives the same message.
    `based_on_seq` is the newest `seq` that the author has seen.
    """

    message_type: MessageType = MessageType.TEXT
    content: dict[str, Any]
    client_message_id: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    based_on_seq: Seq | None = None
    retry_of: UuidText | None = None


class SendMessageTo(SendMessage):
    """POST /messages, the seed's path: the conversation is in the body."""

    conversation_id: UuidText


class NewContact(Request):
    name: Annotated[str, Field(min_length=1, max_length=200)]
    phone: Annotated[str, Field(pattern=r"^\+?[0-9]{5,20}$")]


class OpenConversation(Request):
    contact: NewContact
    channel_id: UuidText | None = None


Labels = Annotated[list[Annotated[str, Field(min_length=1, max_length=200)]], Field(max_length=20)]


class ChangeConversation(Request):
    """PATCH /conversations/{id}; a member that is left out stays as it is.

    Labels are added and removed by name: two who label at once do not undo each other.
    """

    assigned_to: UuidText | None = None
    status: ConversationStatus | None = None
    add_labels: Labels = Field(default_factory=list)
    remove_labels: Labels = Field(default_factory=list)


class WriteNote(Request):
    """POST /conversations/{id}/notes: for colleagues, never for the customer.

    An `id` of one's own makes a retry safe: the same again gives the same note.
    """

    text: Annotated[str, Field(min_length=1, max_length=MAX_NOTE_LENGTH, pattern=r"\S")]
    id: UuidText | None = None


Shortcut = Annotated[str, Field(pattern=r"^[^\s/\x00-\x1f\x7f]{1,32}$")]
ReplyText = Annotated[str, Field(min_length=1, max_length=4_096, pattern=r"\S")]


class NewCannedReply(Request):
    """POST /canned-replies: what `/shortcut` stands for in the whole organization."""

    shortcut: Shortcut
    text: ReplyText


class ChangeCannedReply(Request):
    shortcut: Shortcut | None = None
    text: ReplyText | None = None


class MarkConversationRead(Request):
    seq: Seq


class Login(Request):
    email: Annotated[str, Field(min_length=3, max_length=320)]
    password: Annotated[str, Field(min_length=1, max_length=1024)]


class RefreshToken(Request):
    refresh_token: Annotated[str, Field(min_length=1, max_length=512)]


class NewUser(Request):
    email: Annotated[str, Field(min_length=3, max_length=320, pattern=r"^[^@\s]+@[^@\s]+$")]
    name: Annotated[str, Field(min_length=1, max_length=200)]
    role: Role
    password: Annotated[str, Field(min_length=8, max_length=1024)] | None = None


class ChangeUser(Request):
    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    role: Role | None = None
    active: bool | None = None


class RevokeUser(Request):
    """POST /users/{id}/revoke; without `token_id` (a token's `jti`) every session ends."""

    token_id: Annotated[str, Field(min_length=1, max_length=255)] | None = None


class NewChannel(Request):
    """POST /channels. With `sends_read_marks` customers see that an agent has read (blue ticks),
    with `sends_typing` that one types."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    phone_number_id: Annotated[str, Field(min_length=1, max_length=64)]
    access_token: Annotated[str, Field(min_length=1, max_length=2048)]
    sends_read_marks: bool = False
    sends_typing: bool = False


class ChangeChannel(Request):
    """PATCH /channels/{id}; a new token starts a number that was stopped."""

    name: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    access_token: Annotated[str, Field(min_length=1, max_length=2048)] | None = None
    sends_read_marks: bool | None = None
    sends_typing: bool | None = None


# --- what is given -----------------------------------------------------------------------


class StatusTimes(Answer):
    """When a message reached each status. What is `implied` was never reported itself: who reads
    a message has been given it, whatever came of the report."""

    sent: Time | None = None
    delivered: Time | None = None
    read: Time | None = None
    failed: Time | None = None
    implied: list[MessageStatus] = []


class MessageBody(Answer):
    id: Uuid
    conversation_id: Uuid
    seq: int
    direction: Direction
    sender_type: SenderType
    sender_id: str | None
    message_type: MessageType
    content: dict[str, Any]
    status: MessageStatus
    error: dict[str, Any] | None = None
    whatsapp_message_id: str | None
    client_message_id: str | None
    retry_of: Uuid | None = None
    created_at: Time
    sent_at: Time | None
    status_times: StatusTimes | None = None


class ContactBody(Answer):
    """`marketing_opt_out_at`: since when the customer wants no marketing messages."""

    id: Uuid
    name: str
    phone: str | None
    marketing_opt_out_at: Time | None = None


class NoteBody(Answer):
    """What a colleague noted; `seq` is its place among the messages."""

    id: Uuid
    conversation_id: Uuid
    seq: int
    author_id: Uuid
    text: str
    created_at: Time


class CannedReplyBody(Answer):
    id: Uuid
    shortcut: str
    text: str


class ConversationBody(Answer):
    id: Uuid
    contact: ContactBody
    channel_id: Uuid | None
    status: ConversationStatus
    assigned_to: Uuid | None
    unread_count: int
    inbound_count: int
    last_message: MessageBody | None
    last_seq: int
    epoch: str
    window_expires_at: Time | None
    labels: list[str]
    created_at: Time
    updated_at: Time


class UserBody(Answer):
    id: Uuid
    organization_id: Uuid
    role: Role
    name: str
    email: str | None


class Tokens(Answer):
    access_token: str
    refresh_token: str
    token_type: Literal["bearer"]
    expires_in: int
    user: UserBody


class MediaBody(Answer):
    """POST /media; `id` is the `media_id` of a message's content."""

    id: Uuid
    mime_type: str
    filename: str | None
    size: int
    media_url: str


class EventItem(Answer):
    seq: int
    event: str
    data: dict[str, Any]
    created_at: Time


class Problem(Answer):
    """`application/problem+json`, RFC 9457."""

    code: str
    title: str
    detail: str
    retryable: bool
    trace_id: str
