"""The inbox at `/`: the built files, and the page itself for every address it makes up.

The page is served under a strict content security policy: scripts, styles and fonts come
from here, nothing is inline, and it talks to this origin alone.
"""

from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.routing import Mount, Route, Router
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

import pytake
from pytake.domain.errors import NotFound
from pytake.messages_api.errors import problem

POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "font-src 'self'",
        "img-src 'self' data: blob:",
        "media-src 'self' blob:",
        "connect-src 'self'",
        "worker-src 'self'",
        "manifest-src 'self'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)

_PAGE = {"Content-Security-Policy": POLICY, "Cache-Control": "no-cache"}
_HASHED = {**_PAGE, "Cache-Control": "public, max-age=31536000, immutable"}

# Addresses that are never a page: a client that misses one must see that, not a page.
_NOT_PAGES = frozenset(
    ("api", "socket.io", "assets", "internal", "metrics", "livez", "readyz", "startupz")
)

_NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>PyTake</title>
<h1>PyTake is running</h1><p>The inbox was not built. Run <code>make web</code> and reload.</p>
"""


def built_inbox() -> Path | None:
    """Return the folder of the built inbox: in a checkout or inside the wheel; None if neither."""
    package = Path(pytake.__file__).parent
    for folder in (package.parents[1] / "web" / "inbox" / "dist", package / "static"):
        if (folder / "index.html").is_file():
            return folder
    return None


def pages(folder: Path | None) -> Router:
    """Return the routes of the pages; without a folder a page that says how to build one."""

    async def page(request: Request) -> Response:
        path: str = request.path_params.get("path", "")
        first = path.partition("/")[0]
        file = None if folder is None else _file(folder, path)
        looks_like_a_file = "." in path.rpartition("/")[2]
        if first in _NOT_PAGES or (file is None and looks_like_a_file):
            return problem(NotFound())
        if folder is None:
            return HTMLResponse(_NOT_BUILT, headers=_PAGE)
        return FileResponse(file or folder / "index.html", headers=_PAGE)

    routes: list[Route | Mount] = []
    if folder is not None and (folder / "assets").is_dir():
        routes.append(Mount("/assets", _HashedFiles(directory=folder / "assets")))
    routes.append(Route("/{path:path}", page, methods=["GET", "HEAD"]))
    return Router(routes)


def _file(folder: Path, path: str) -> Path | None:
    """Return a file at the top of the folder (icon, manifest, …), never one outside it."""
    if not path or "/" in path or "\x00" in path or path.startswith("."):
        return None
    file = folder / path
    return file if file.is_file() else None


class _HashedFiles(StaticFiles):
    """Files whose names change with their content: kept by browsers for ever."""

    def file_response(
        self, full_path: object, stat_result: object, scope: Scope, status_code: int = 200
    ) -> Response:
        response = super().file_response(full_path, stat_result, scope, status_code)  # type: ignore[arg-type]
        response.headers.update(_HASHED)
        return response
