"""One telephone, several writings."""

import pytest

from pytake.domain.phone import variants


@pytest.mark.parametrize(
    ("written", "also"),
    [
        ("+55 11 98765-4321", "551187654321"),
        ("551187654321", "5511987654321"),
        ("5491123456789", "541123456789"),
        ("525512345678", "5215512345678"),
    ],
)
def test_a_mobile_number_has_two_writings_and_the_given_one_is_first(
    written: str, also: str
) -> None:
    given, other = variants(written)

    assert given == "".join(c for c in written if c.isdigit())
    assert other == also


@pytest.mark.parametrize("landline", ["551130001234", "552125551234", "14155552671"])
def test_a_landline_gets_no_ninth_digit(landline: str) -> None:
    assert variants(landline) == (landline,)


@pytest.mark.parametrize("number", ["5511987654321", "551187654321", "5491123456789"])
def test_both_writings_name_the_same_pair(number: str) -> None:
    assert {frozenset(variants(each)) for each in variants(number)} == {frozenset(variants(number))}
