"""The door of a pod: who is let in, and who is asked to come back later."""

from pytake.domain.errors import ErrorCode
from pytake.gateway.admission import FAILED_HANDSHAKES, Admission


async def test_a_second_of_handshakes_may_come_at_once_and_no_more() -> None:
    admission = Admission(handshake_rate=5, max_connections=100)

    refusals = [admission.refusal(0) for _ in range(7)]

    assert refusals[:5] == [None] * 5
    assert {refusal.code for refusal in refusals[5:] if refusal} == {ErrorCode.OVERLOADED}


async def test_a_full_pod_takes_nobody_else() -> None:
    admission = Admission(handshake_rate=5, max_connections=10)

    assert admission.refusal(9) is None
    refusal = admission.refusal(10)

    assert refusal is not None
    assert refusal.code is ErrorCode.OVERLOADED
    assert refusal.retry_after_seconds >= 1


async def test_a_draining_pod_sends_clients_elsewhere_and_forgets_their_affinity() -> None:
    admission = Admission(handshake_rate=5, max_connections=10)
    admission.is_draining = True

    answer = admission.refuse(0)

    assert answer is not None
    status, headers, body = answer
    assert (status, body) == (503, b"draining")
    assert dict(headers)[b"retry-after"] == b"1"
    assert b"Max-Age=0" in dict(headers)[b"set-cookie"]


async def test_only_an_address_that_fails_again_and_again_is_told_to_wait() -> None:
    admission = Admission(handshake_rate=5, max_connections=10)

    waits = [admission.failed("203.0.113.7") for _ in range(FAILED_HANDSHAKES + 1)]

    assert waits[:-1] == [0.0] * FAILED_HANDSHAKES
    assert 0 < waits[-1] <= 60
    assert admission.failed("203.0.113.8") == 0.0
