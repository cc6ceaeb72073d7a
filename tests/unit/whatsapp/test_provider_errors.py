"""What an error code makes us do."""

import pytest

from pytake.contract.failures import FAILURES, OTHER, Failure, whatsapp
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

    row = FAILURES.get(shown["code"], FAILURES[OTHER])
    assert (shown["title"], shown["next_step"]) == row.en
    assert shown["detail"] == "(#1) raw title"


def test_only_codes_that_say_nothing_have_no_row_of_their_own() -> None:
    assert {code for code in TABLE if whatsapp(code) not in FAILURES} == {135000}


@pytest.mark.parametrize("row", FAILURES.values(), ids=list(FAILURES))
def test_a_row_is_two_sentences_in_each_language(row: Failure) -> None:
    for words in (row.en, row.pt):
        assert all(sentence.endswith(".") for sentence in words)


def test_a_new_code_is_told_by_what_the_http_status_says() -> None:
    assert ProviderError(999_999, 401).shown()["title"] == FAILURES[whatsapp(190)].en[0]
    assert ProviderError(999_999, 400).shown()["title"] == FAILURES[OTHER].en[0]


@pytest.mark.parametrize("body", [None, "text", [], {}, {"code": "x"}, {"error_data": 5}])
def test_an_error_without_sense_is_still_an_error(body: object) -> None:
    assert read_error(body, 400).meaning.action is Action.FAIL
