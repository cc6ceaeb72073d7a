"""The REST API out of its parts, for `pytake api` and `pytake dev`."""

import time
from collections.abc import Mapping
from datetime import timedelta

from starlette.types import ASGIApp

from pytake.application.change_conversation import ChangeConversation
from pytake.application.files import Files
from pytake.application.keep_canned_replies import KeepCannedReplies
from pytake.application.manage_users import ManageUsers
from pytake.application.mark_read import MarkRead
from pytake.application.open_conversation import OpenConversation
from pytake.application.personal_data import PersonalData
from pytake.application.ports import Clock, RoomNotifier
from pytake.application.send_message import Announce, SendMessage
from pytake.application.show_customer import ShowCustomer
from pytake.application.sign_in import SignIn
from pytake.application.write_note import WriteNote
from pytake.contract.media_links import MediaLinks
from pytake.limits.addresses import TrustedProxies
from pytake.limits.http import HttpLimits
from pytake.media.object_store import ObjectStoreMediaFiles
from pytake.messages_api.app import create_app
from pytake.messages_api.pages import built_inbox
from pytake.messages_api.services import OnlineUsers, Services, nobody_online
from pytake.observability.metrics import Metrics
from pytake.observability.tracing import Tracing
from pytake.processes.tokens import Tokens
from pytake.settings import Settings
from pytake.store import Store
from pytake.tokens.passwords import Argon2Passwords
from pytake.tokens.refresh import RandomRefreshTokens
from pytake.tokens.rights import PolledRights


def build_limits(settings: Settings) -> HttpLimits:
    """Return the HTTP limits of the settings."""
    return HttpLimits(
        user=settings.http_rate_limit,
        bot=settings.http_rate_limit_bot,
        login=settings.login_rate_limit,
        organization=settings.organization_rate_limit,
    )


def build_services(
    settings: Settings,
    store: Store,
    *,
    announce: Announce,
    notifier: RoomNotifier,
    tokens: Tokens,
    rights: PolledRights,
    limits: HttpLimits,
    clock: Clock,
    link_key: bytes,
    online_users: OnlineUsers = nobody_online,
    opens_window_for: timedelta | None = None,
) -> Services:
    """Return the use cases on one store."""
    passwords = Argon2Passwords()
    conversations, audit = store.conversations, store.audit
    storage = ObjectStoreMediaFiles(settings.media_url)
    files = Files(store.media, storage, conversations, clock)
    sign_in = None
    if tokens.issue is not None:
        sign_in = SignIn(
            store.users,
            store.refresh_tokens,
            passwords,
            tokens.issue,
            RandomRefreshTokens(),
            audit,
            clock,
        )
    return Services(
        verify=tokens.verify,
        throttle=limits,
        reader=conversations,
        event_log=store.event_log,
        users=store.users,
        channels=store.channels,
        audit=audit,
        quarantine=store.quarantine,
        news=store.news,
        templates=store.templates,
        send_message=SendMessage(conversations, conversations, announce, clock, files),
        open_conversation=OpenConversation(
            conversations, store.channels, announce, clock, opens_window_for=opens_window_for
        ),
        change_conversation=ChangeConversation(
            conversations, conversations, announce, audit, clock
        ),
        mark_read=MarkRead(
            conversations, conversations, notifier, ShowCustomer(store.signs, clock).read
        ),
        notes=conversations,
        write_note=WriteNote(conversations, conversations, announce, clock),
        canned_replies=KeepCannedReplies(store.canned_replies, notifier, clock),
        manage_users=ManageUsers(
            store.users, store.rights, rights, store.refresh_tokens, passwords, audit, clock
        ),
        personal_data=PersonalData(store.contacts, storage, audit, clock),
        sign_in=sign_in,
        files=files,
        link=MediaLinks(link_key, time.time),
        online_users=online_users,
        max_body_bytes=settings.max_event_bytes,
    )


def build_rest(
    settings: Settings,
    services: Services,
    *,
    metrics: Metrics,
    tracing: Tracing,
    direct: Mapping[str, ASGIApp] | None = None,
    has_docs: bool = False,
) -> ASGIApp:
    """Return the public application, behind the proxies that the settings trust."""
    app = create_app(
        services,
        metrics=metrics,
        tracing=tracing,
        allowed_origins=settings.cors_allowed_origins,
        has_docs=has_docs if settings.docs is None else settings.docs,
        inbox=built_inbox(),
        direct=direct,
    )
    return TrustedProxies(settings.trusted_proxies).wrap(app)
