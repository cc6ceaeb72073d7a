"""The store serves the ports under the names that processes wire, and answers `ping`."""

from __future__ import annotations

from pytake.application import access_ports, channel_ports, ports
from pytake.store import Store


def _every_port(store: Store) -> tuple[object, ...]:
    """Never called: mypy compares each attribute with its port."""
    writer: ports.ConversationStore = store.conversations
    reader: ports.ConversationReader = store.conversations
    event_log: ports.EventLog = store.event_log
    outbox: ports.Outbox = store.outbox
    users: ports.UserDirectory = store.users
    rights: ports.RightsLog = store.rights
    refresh_tokens: ports.RefreshTokens = store.refresh_tokens
    directory: ports.ChannelDirectory = store.channels
    sending: channel_ports.SendingChannels = store.channels
    leases: channel_ports.Leases = store.leases
    webhooks: channel_ports.WebhookInbox = store.webhooks
    quarantine: channel_ports.Quarantine = store.quarantine
    orphans: channel_ports.OrphanStatuses = store.orphans
    send_queue: channel_ports.SendQueue = store.send_queue
    contacts: channel_ports.ContactBook = store.contacts
    media: channel_ports.MediaLibrary = store.media
    templates: channel_ports.Templates = store.templates
    audit: access_ports.AuditLog = store.audit
    return (
        *(writer, reader, event_log, outbox, users, rights, refresh_tokens, directory, sending),
        *(leases, webhooks, quarantine, orphans, send_queue, contacts, media, templates, audit),
    )


async def test_a_store_that_is_open_answers(store: Store) -> None:
    await store.ping()
