from pathlib import Path

import pytest

from pytake.processes.start import settings_or_exit


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("redis+sentinel://h/m/0", "must be redis+sentinel://"),
        ("redis://h?tls=on", "neither true nor false"),
        ("redis://:pass/word@h", "percent-encoded"),
        ("rediss://h?ssl_ca_certs=/nowhere/ca.crt", "/nowhere/ca.crt: "),
    ],
)
def test_an_address_of_redis_that_cannot_be_read_is_one_line_and_exit_2(
    url: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        settings_or_exit("relay", redis_url=url)

    (line,) = capsys.readouterr().err.splitlines()
    assert end.value.code == 2
    assert line.startswith("PYTAKE_REDIS_URL: ")
    assert sentence in line
    assert "pass" not in line.replace("password", "")


def test_a_process_without_redis_needs_no_files_of_it() -> None:
    url = "rediss://h?ssl_ca_certs=/nowhere/ca.crt"

    assert settings_or_exit("command", redis_url=url).redis_url == url
