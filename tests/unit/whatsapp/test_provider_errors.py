"""What an error code makes us do."""

import pytest

from pytake.whatsapp.provider_errors import TABLE, Action, ProviderError, read_error


@pytest.mark.parametrize(
    ("code", "action"),
    [
        (190, Action.STOP),
        (0, Action.STOP),
        (250, Action.STOP),
        (131000, Action.RETRY),
        (130429, Action.SLOW_DOWN),
        (131056, Action.SLOW_DOWN),
        (131042, Action.STOP),
        (131047, Action.FAIL),
        (131026, Action.FAIL),
        (131049, Action.FAIL),
        (100, Action.FAIL),
        (131053, Action.UPLOAD_AGAIN),
        (132015, Action.FAIL),
        (133004, Action.RETRY),
        (133010, Action.FAIL),
    ],
)
def test_the_code_decides(code: int, action: Action) -> None:
    assert ProviderError(code, http_status=400).meaning.action is action


@pytest.mark.parametrize(
    ("http_status", "action"),
    [(401, Action.STOP), (429, Action.SLOW_DOWN), (503, Action.RETRY), (400, Action.FAIL)],
)
def test_a_code_that_is_new_is_judged_by_the_http_status(http_status: int, action: Action) -> None:
    assert ProviderError(999_999, http_status).meaning.action is action


@pytest.mark.parametrize("code", TABLE)
def test_an_agent_reads_what_happened_and_what_to_do(code: int) -> None:
    shown = ProviderError(code, title="(#1) raw title").shown()

    assert shown["title"].endswith(".")
    assert shown["next_step"].endswith(".")
    assert "Traceback" not in str(shown)


@pytest.mark.parametrize("body", [None, "text", [], {}, {"code": "x"}, {"error_data": 5}])
def test_an_error_without_sense_is_still_an_error(body: object) -> None:
    assert read_error(body, 400).meaning.action is Action.FAIL
