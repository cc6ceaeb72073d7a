"""Keeps what we know of numbers and templates like Meta's: read now and then, and changed by
webhooks between.

Templates belong to the business account of a number. Webhooks name the account; until one
came, the number itself is asked.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import structlog

from pytake.application.channel_ports import SendingChannels, Template, Templates
from pytake.application.ports import Channel
from pytake.whatsapp.graph import GraphClient, GraphError, Number

log = structlog.get_logger()


class TemplateList:
    """Reads the templates of every active number, and how WhatsApp shows and rates it."""

    def __init__(
        self,
        templates: Templates,
        channels: SendingChannels,
        graph: GraphClient,
    ) -> None:
        self._templates = templates
        self._channels = channels
        self._graph = graph

    async def refresh(self) -> None:
        """Read all lists anew. A number whose list cannot be had keeps the one it has.

        Raises:
            Unavailable: The store is away.
        """
        for channel in await self._channels.active_channels():
            try:
                await self._refresh(channel)
            except GraphError as problem:
                log.info("templates_not_read", channel_id=channel.id, reason=str(problem))

    async def _refresh(self, channel: Channel) -> None:
        token = await self._channels.access_token(channel.id)
        if token is None:
            return
        number = Number(channel.phone_number_id, token)
        facts = _facts(await self._graph.number_info(number))
        await self._channels.note_facts(channel.id, facts)
        account = facts.get("account_id") or channel.account_id
        if account is None:
            return
        found = await self._graph.templates(number, account)
        await self._templates.replace(channel.id, _read(channel, found))


def _facts(info: Mapping[str, Any]) -> dict[str, str]:
    """Read what the number tells of itself; every member may be missing."""
    found = {name: info.get(theirs) for name, theirs in _FACTS.items()}
    account = info.get("whatsapp_business_account")
    found["account_id"] = account.get("id") if isinstance(account, dict) else None
    return {name: str(value) for name, value in found.items() if value}


_FACTS = {
    "display_phone_number": "display_phone_number",
    "verified_name": "verified_name",
    "quality_rating": "quality_rating",
    "messaging_limit": "messaging_limit_tier",
}


def _read(channel: Channel, found: Sequence[Mapping[str, Any]]) -> list[Template]:
    """Read what Meta gave; an entry without name or language cannot be sent and is left out."""
    templates: dict[tuple[str, str], Template] = {}
    for item in found:
        name, language = item.get("name"), item.get("language")
        if not isinstance(name, str) or not isinstance(language, str):
            continue
        components = item.get("components")
        templates[(name, language)] = Template(
            organization_id=channel.organization_id,
            channel_id=channel.id,
            name=name,
            language=language,
            status=str(item.get("status", "")).upper(),
            category=str(item.get("category", "")).upper(),
            components=components if isinstance(components, list) else [],
        )
    return list(templates.values())
