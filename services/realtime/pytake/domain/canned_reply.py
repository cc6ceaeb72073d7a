"""A text that a team has ready, called by its shortcut."""

from dataclasses import dataclass

from pytake.domain.ids import CannedReplyId, OrganizationId


@dataclass(frozen=True, slots=True)
class CannedReply:
    id: CannedReplyId
    organization_id: OrganizationId
    shortcut: str
    text: str
