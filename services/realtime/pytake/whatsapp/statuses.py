"""From a status as the provider writes it to a report about our message."""

from datetime import datetime

from pytake.application.ports import Channel, StatusReport
from pytake.domain.ids import MessageId, parse_uuid
from pytake.domain.status import MessageStatus, status_from_provider
from pytake.whatsapp.inbound import MAX_PROVIDER_ID, NotUnderstood, provider_time
from pytake.whatsapp.payloads import StatusItem
from pytake.whatsapp.provider_errors import read_error, read_errors, says_window_closed


def to_report(item: StatusItem, channel: Channel, received_at: datetime) -> StatusReport:
    """Return the report.

    `biz_opaque_callback_data` is our own id, echoed: it finds the message although the
    answer to our request, which names WhatsApp's id, is still on its way.

    Raises:
        NotUnderstood: It names no message, or a status that is new to us.
    """
    raw = item.status
    provider_id = raw.get("id")
    if not isinstance(provider_id, str) or not 0 < len(provider_id) <= MAX_PROVIDER_ID:
        raise NotUnderstood("a status without a usable id")
    status = status_from_provider(str(raw.get("status")))
    if status is None:
        raise NotUnderstood(f"unknown status {str(raw.get('status'))[:40]!r}")
    error = None
    if status is MessageStatus.FAILED:
        errors = read_errors(raw.get("errors")) or [read_error(None)]
        error = errors[0].shown()
    ours = parse_uuid(raw.get("biz_opaque_callback_data"))
    return StatusReport(
        organization_id=channel.organization_id,
        status=status,
        reported_at=provider_time(raw.get("timestamp"), received_at),
        message_id=MessageId(ours) if ours is not None else None,
        whatsapp_message_id=provider_id,
        error=error,
        window_was_closed=says_window_closed(error),
    )
