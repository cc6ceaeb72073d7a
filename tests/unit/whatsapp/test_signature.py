"""Only who knows the app secret may deliver."""

import pytest

from pytake.whatsapp.signature import is_signed, sign

SECRETS = (b"present secret", b"previous secret")
BODY = b'{"text":"ol\\u00e1 \\ud83d\\ude0a"}'


@pytest.mark.parametrize("secret", SECRETS)
def test_both_secrets_are_accepted_while_they_rotate(secret: bytes) -> None:
    assert is_signed(BODY, sign(BODY, secret), SECRETS)


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "sha256=",
        "sha1=abc",
        "sha256=é",
        sign(BODY, b"another secret"),
        sign(b"", SECRETS[0]),
    ],
)
def test_anything_else_is_refused(header: str | None) -> None:
    assert not is_signed(BODY, header, SECRETS)


def test_without_a_secret_nothing_is_accepted() -> None:
    assert not is_signed(BODY, sign(BODY, b""), ())


def test_the_bytes_count_and_not_what_they_mean() -> None:
    unescaped = '{"text":"olá 😊"}'.encode()

    assert not is_signed(unescaped, sign(BODY, SECRETS[0]), SECRETS)
