"""Names of rooms. Nothing about a conversation is ever sent to `organization:{id}`."""

from pytake.domain.principal import Principal, Role

CONVERSATION_PREFIX = "conversation:"
WITHIN = "\x1f"
"""As the transport writes "those members of a room who are in another one, too"."""


def conversation_room(conversation_id: str) -> str:
    """Everybody who has joined the conversation."""
    return f"conversation:{conversation_id}"


def user_room(user_id: str) -> str:
    """All connections of one user, in whichever organization: for outside emitters."""
    return f"user:{user_id}"


def member_room(organization_id: str, user_id: str) -> str:
    """A user's connections in one organization: with an outside identity provider one user may
    be a member of several, and none of them may hear of another."""
    return f"{user_room(user_id)}{WITHIN}{organization_room(organization_id)}"


def organization_room(organization_id: str) -> str:
    """All connections of an organization."""
    return f"organization:{organization_id}"


def admins_room(organization_id: str) -> str:
    """Those who see every conversation of an organization: admins and bots."""
    return f"organization:{organization_id}:admins"


def unassigned_room(organization_id: str) -> str:
    """Agents, who see the conversations that nobody has taken."""
    return f"organization:{organization_id}:unassigned"


def rooms_at_connect(principal: Principal) -> list[str]:
    """Return the rooms that a new connection of the principal is put into."""
    role_room = unassigned_room if principal.role is Role.AGENT else admins_room
    return [
        user_room(principal.user_id),
        organization_room(principal.organization_id),
        role_room(principal.organization_id),
    ]


def list_rooms(organization_id: str, assigned_to: str | None) -> list[str]:
    """Return the rooms that hear of changes in a conversation's row of the list."""
    if assigned_to:
        return [admins_room(organization_id), member_room(organization_id, assigned_to)]
    return [admins_room(organization_id), unassigned_room(organization_id)]
