"""A server on this machine is found by its port and read without asking it."""

import os
import socket

from pytake.bench.server_figures import listening_on, name_of, use_of, with_children


def test_the_process_that_listens_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        assert listening_on(port) == [os.getpid()]

    assert listening_on(port) == []


def test_a_process_has_used_time_memory_and_files() -> None:
    use = use_of(os.getpid())

    assert use.cpu_seconds > 0
    assert use.memory_kb > 1000
    assert use.files >= 3


def test_a_process_that_is_gone_has_used_nothing() -> None:
    assert use_of(2**22 - 1).cpu_seconds == 0
    assert name_of(2**22 - 1) == str(2**22 - 1)
    assert with_children(os.getpid())[0] == os.getpid()
