"""The command behind `make contract`."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from pytake.contract.generate.asyncapi import asyncapi
from pytake.contract.generate.breaking import breaking_changes
from pytake.contract.generate.failures import failures_module
from pytake.contract.generate.protocol_page import protocol_page
from pytake.contract.generate.schema import json_schema
from pytake.contract.generate.typescript import typescript

SCHEMA = Path("docs/contract/schema.json")


def rendered() -> dict[Path, str]:
    """Return every generated file with its text, by path from the repository root."""
    schema = json_schema()
    return {
        SCHEMA: _json(schema),
        Path("docs/contract/asyncapi.json"): _json(asyncapi(schema)),
        Path("docs/protocol.md"): protocol_page(schema),
        Path("services/web/client/src/contract.gen.ts"): typescript(schema),
        Path("services/web/inbox/src/words/failures.gen.ts"): failures_module(),
    }


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write or check the files; 1 when something is not as it should be."""
    options = _options()
    files = rendered()
    stale = [path for path, text in files.items() if not _is_current(path, text)]
    if options.check:
        for path in stale:
            print(f"{path} is not current: run `make contract`", file=sys.stderr)
        return 1 if stale else 0
    if SCHEMA in stale and SCHEMA.exists():
        breaks = breaking_changes(json.loads(SCHEMA.read_text()), json.loads(files[SCHEMA]))
        if breaks and not (options.decision and options.decision.is_file()):
            print("This would break published clients:", file=sys.stderr)
            for sentence in breaks:
                print(f"  {sentence}", file=sys.stderr)
            print("Write a decision page and name it with --decision.", file=sys.stderr)
            return 1
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[path])
        print(f"wrote {path}")
    return 0


def _is_current(path: Path, text: str) -> bool:
    return path.exists() and path.read_text() == text


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m pytake.contract.generate")
    parser.add_argument("--check", action="store_true", help="exit 1 if a file is not current")
    parser.add_argument("--decision", type=Path, help="the page that tells of a breaking change")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
