"""The scan over the logs of every cluster of the suite finds what it looks for."""

from cluster.private_words import private_words_in


def test_the_scan_finds_each_kind_and_repeats_none_of_it(tmp_path) -> None:
    log = tmp_path / "gateway-1.log"
    log.write_text(
        '{"event":"fine","conversation_id":"12345678-1234-4123-8123-123456789012"}\n'
        '{"event":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbmEifQ.c2ln"}\n'
        '{"event":"from +5511912345678"}\n'
        '{"event":"texto secreto 7"}\n'
    )

    assert private_words_in([log, tmp_path / "missing.log"]) == [
        "a token in gateway-1.log, line 2",
        "a phone in gateway-1.log, line 3",
        "a text in gateway-1.log, line 4",
    ]
