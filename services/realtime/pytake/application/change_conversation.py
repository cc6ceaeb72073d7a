"""A conversation is taken, handed on, given back, closed or reopened."""

from pytake.application.access_ports import AuditEntry, AuditLog
from pytake.application.ports import (
    Clock,
    Committed,
    ConversationChange,
    ConversationReader,
    ConversationStore,
)
from pytake.application.send_message import Announce
from pytake.application.visible import visible_conversation
from pytake.domain.conversation import may_assign
from pytake.domain.errors import Refused
from pytake.domain.ids import ConversationId
from pytake.domain.principal import Principal


class ChangeConversation:
    """Changes assignee and status; of two at once, one wins."""

    def __init__(
        self,
        reader: ConversationReader,
        store: ConversationStore,
        announce: Announce,
        audit: AuditLog,
        clock: Clock,
    ) -> None:
        self._reader = reader
        self._store = store
        self._announce = announce
        self._audit = audit
        self._clock = clock

    async def __call__(
        self, principal: Principal, conversation_id: ConversationId, change: ConversationChange
    ) -> Committed:
        """Carry out the change and announce it.

        Raises:
            NotFound: No such conversation for this principal, or no such assignee.
            Refused: `forbidden`: the principal may see it but not assign it so.
            Conflict: Somebody else assigned it meanwhile.
        """
        seen = await visible_conversation(self._reader, principal, conversation_id)
        if change.reassign and not may_assign(principal, seen.assigned_to, change.assigned_to):
            raise Refused(detail="You may take an unassigned conversation or hand on your own.")
        now = self._clock()
        committed = await self._store.change_conversation(
            principal.organization_id,
            conversation_id,
            change,
            expected_assignee=seen.assigned_to,
            now=now,
        )
        await self._announce(committed)
        after = committed.conversation
        if committed.previous_assignee != after.assigned_to:
            await self._audit.record(
                AuditEntry(
                    organization_id=principal.organization_id,
                    at=now,
                    action="conversation.assigned",
                    actor=principal.user_id,
                    subject=f"conversation:{conversation_id}",
                    details={"from": committed.previous_assignee, "to": after.assigned_to},
                )
            )
        return committed
