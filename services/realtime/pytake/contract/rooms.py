"""Names of rooms. Nothing about a conversation is ever sent to `organization:{id}`."""

from pytake.domain.principal import Principal, Role

CONVERSATION_PREFIX = "conversation:"


def conversation_room(conversation_id: str) -> str:
    """Everybody who has joined the conversation."""
    return f"conversation:{conversation_id}"


def user_room(user_id: str) -> str:
    """All connections of one user."""
    return f"user:{user_id}"


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
    watcher = user_room(assigned_to) if assigned_to else unassigned_room(organization_id)
    return [admins_room(organization_id), watcher]
