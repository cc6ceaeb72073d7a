"""Finding a conversation for a principal: what it may not see does not exist for it."""

from pytake.application.ports import ConversationReader
from pytake.domain.conversation import Conversation, may_see
from pytake.domain.errors import NotFound
from pytake.domain.ids import ConversationId
from pytake.domain.principal import Principal


async def visible_conversation(
    reader: ConversationReader, principal: Principal, conversation_id: ConversationId
) -> Conversation:
    """Return the conversation as the principal sees it.

    Raises:
        NotFound: It does not exist, or the principal may not know that it does: both take
            the same query, so that neither answer nor time tells them apart.
    """
    found = await reader.conversation(principal, conversation_id)
    if found is None or not may_see(principal, found.organization_id, found.assigned_to):
        raise NotFound
    return found
