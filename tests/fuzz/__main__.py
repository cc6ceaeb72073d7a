"""Runs one target until it has seen so many frames."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Protocol

import atheris

with atheris.instrument_imports(include=["pytake"]):
    from fuzz.gateway import GatewayTarget
    from fuzz.payloads import PayloadTarget

from fuzz.words import DICTIONARY, SEEDS

MAX_INPUT_BYTES = 4096


class Target(Protocol):
    """Takes inputs; raises for what must not happen."""

    frames: int

    def __call__(self, data: bytes) -> None: ...

    def check(self) -> str:
        """Say what came of all inputs, after the last check."""
        ...


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m fuzz", description=__doc__)
    parser.add_argument("target", choices=["gateway", "payloads"])
    parser.add_argument("--frames", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--timeout", type=int, default=30, help="seconds that one input may take")
    parser.add_argument("--again", type=Path, help="a crash file, to run this input alone")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="pytake-fuzz-"))
    target: Target = GatewayTarget(folder) if arguments.target == "gateway" else PayloadTarget()
    if arguments.again:
        target(arguments.again.read_bytes())
        print(target.check())
        return
    began = time.monotonic()

    def one_input(data: bytes) -> None:
        target(data)
        if target.frames >= arguments.frames:
            seconds = time.monotonic() - began
            print(f"{target.frames} frames in {seconds:.0f} s: {target.check()}", flush=True)
            # libFuzzer has no other way to end well in the middle.
            os._exit(0)

    (folder / "words").write_text(DICTIONARY)
    corpus = folder / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[arguments.target]):
        (corpus / str(number)).write_bytes(seed)
    options = [
        f"-dict={folder / 'words'}",
        f"-max_len={MAX_INPUT_BYTES}",
        f"-seed={arguments.seed}",
        f"-artifact_prefix={folder}/crash-",
        f"-timeout={arguments.timeout}",
        "-rss_limit_mb=2048",
        "-verbosity=0",
    ]
    atheris.Setup([sys.argv[0], *options, str(corpus)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
