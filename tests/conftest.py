"""Fixtures that every suite shares, and the rule that nothing is left out in silence.

A test that needs a program which is neither here nor allowed to be installed is left out, named in
the summary, and turns the exit status of an otherwise good run into 3.
"""

from __future__ import annotations

from collections.abc import Generator

import pytest

LEFT_OUT_EXIT_STATUS = 3
_left_out = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_left_out] = []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        item.config.stash[_left_out].append(item.nodeid)
    return report


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    if exitstatus == pytest.ExitCode.OK and session.config.stash[_left_out]:
        session.exitstatus = LEFT_OUT_EXIT_STATUS


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    if left_out := config.stash[_left_out]:
        terminalreporter.section("left out")
        terminalreporter.write_line(
            f"{len(left_out)} tests did not run (the reasons are above): exit status "
            f"{LEFT_OUT_EXIT_STATUS} unless something failed."
        )
