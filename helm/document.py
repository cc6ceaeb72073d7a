"""Writes the table of values in the chart's README from the comments of values.yaml.

    python helm/document.py

A value's meaning is the comment above it that begins with `# --`. Each leaf has one, or stands in a
block that has one for all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parent / "pytake-realtime"
BEGIN, END = "<!-- values -->\n", "<!-- /values -->\n"
KEY = re.compile(r"^( *)(?:- )?([A-Za-z][A-Za-z0-9]*):")


def meanings(text: str) -> dict[str, str]:
    """Return the comment of each key, by its dotted path."""
    found: dict[str, str] = {}
    path: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        stripped = line.strip()
        if stripped.startswith("# -- "):
            comment = [stripped.removeprefix("# -- ")]
        elif stripped.startswith("#") and comment:
            comment.append(stripped.removeprefix("#").strip())
        elif match := KEY.match(line):
            depth = len(match[1])
            path = [(at, key) for at, key in path if at < depth] + [(depth, match[2])]
            if comment:
                found[".".join(key for _, key in path)] = " ".join(comment)
            comment = []
        else:
            comment = []
    return found


def leaves(values: dict[str, Any], known: dict[str, str], path: str = "") -> Iterator[str]:
    """Yield the paths of the table's rows: blocks that have a comment are one row."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value and here not in known:
            yield from leaves(value, known, here)
        else:
            yield here


def table() -> str:
    """Return the table in Markdown.

    Raises:
        ValueError: A value has no comment.
    """
    text = (CHART / "values.yaml").read_text()
    values, known = yaml.safe_load(text), meanings(text)
    rows = ["| value | default | meaning |", "|---|---|---|"]
    missing = []
    for path in leaves(values, known):
        if path not in known:
            missing.append(path)
            continue
        default: Any = values
        for key in path.split("."):
            default = default[key]
        shown = json.dumps(default, ensure_ascii=False)
        rows.append(f"| `{path}` | `{shown}` | {known[path].replace('|', chr(92) + '|')} |")
    if missing:
        raise ValueError(f"values.yaml says nothing about {', '.join(missing)}")
    return "\n".join(rows) + "\n"


def written() -> str:
    """Return the README with the present table in it."""
    readme = (CHART / "README.md").read_text()
    before, rest = readme.split(BEGIN)
    _, after = rest.split(END)
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    (CHART / "README.md").write_text(written())
