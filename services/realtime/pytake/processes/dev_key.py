"""Made-up secrets for `pytake dev`, kept in `.pytake/` so that a restart signs nobody out."""

import json
import os
import secrets
from pathlib import Path

from pydantic import SecretStr

from pytake.settings import Settings

FOLDER = Path(".pytake")
FILE = "dev-secrets.json"
NAMES = (
    "jwt_secret",
    "whatsapp_app_secret",
    "whatsapp_verify_token",
    "whatsapp_access_token",
)


def complete(settings: Settings, folder: Path = FOLDER) -> Settings:
    """Return the settings with a made-up value for each secret that is not set."""
    missing = [name for name in NAMES if getattr(settings, name) is None]
    if not missing:
        return settings
    kept = _kept(folder)
    return settings.model_copy(update={name: SecretStr(kept[name]) for name in missing})


def _kept(folder: Path) -> dict[str, str]:
    """Read the file, or write it: only its owner may read it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / FILE
    known: dict[str, str] = {}
    if path.exists():
        known = json.loads(path.read_text("utf-8"))
    made = {name: known.get(name) or secrets.token_urlsafe(48) for name in NAMES}
    if made != known:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(made, file, indent=2)
    return made
