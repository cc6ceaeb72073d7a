"""Other versions of the product: an earlier commit, and the present one a migration further."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from deploy.chart import ROOT

SOURCES = ROOT / "services" / "realtime" / "pytake"
MIGRATION = '''"""A column that the version before knows nothing of.

Revision: 0002
"""

import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"
branch_labels = None
depends_on = None

expands = True


def upgrade() -> None:
    op.add_column("conversations", sa.Column("mood", sa.Text(), nullable=True))
    op.add_column("messages", sa.Column("hearts", sa.Integer(), server_default="0", nullable=False))
'''


def next_version(folder: Path) -> dict[str, str]:
    """Write the next version into a folder, and return the settings by which a process runs it.

    Its migration only adds, so that pods of both versions work on one database.
    """
    target = folder / "next-version" / "pytake"
    shutil.copytree(SOURCES, target, ignore=shutil.ignore_patterns("__pycache__"))
    scripts = target / "store" / "migrations" / "versions"
    newest = max(path.name.split("_")[0] for path in scripts.glob("[0-9]*.py"))
    revision = f"{int(newest) + 1:04d}"
    (scripts / f"{revision}_mood.py").write_text(MIGRATION.format(revision=revision, before=newest))
    init = target / "__init__.py"
    text = init.read_text()
    assert '__version__ = "' in text
    init.write_text(text.split('__version__ = "')[0] + '__version__ = "999.0.0"\n')
    return {"PYTHONPATH": str(target.parent)}


def earlier_version(folder: Path, commit: str) -> dict[str, str]:
    """Write the sources of a commit into a folder, and return the settings that run them."""
    extract(commit, folder / commit, "services/realtime/pytake")
    return {"PYTHONPATH": str(folder / commit / "services" / "realtime")}


def extract(tree: str, target: Path, *paths: str) -> None:
    """Write files of a commit, or of a folder of it (`commit:folder`), into a folder."""
    archive = subprocess.run(
        ["git", "archive", tree, *paths], cwd=ROOT, check=True, capture_output=True
    )
    target.mkdir(parents=True)
    subprocess.run(["tar", "-x", "-C", target], input=archive.stdout, check=True)
