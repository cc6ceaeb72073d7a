"""The TypeScript client of an earlier commit, compiled and connected: users do not reload pages."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
from asyncio.subprocess import PIPE, Process
from pathlib import Path
from typing import Any, Self

from cluster.cluster import Cluster
from cluster.programs import find_program
from cluster.waiting import scaled
from deploy.chart import ROOT
from deploy.rollout.versions import extract

WEB = ROOT / "services" / "web"


def compiled_sdk(folder: Path, commit: str) -> Path:
    """Compile the client of a commit into a folder, and return its module."""
    target = folder / f"sdk-{commit}"
    extract(f"{commit}:services/web", target, "client", "tsconfig.base.json")
    (target / "node_modules").symlink_to(WEB / "node_modules")
    (target / "package.json").write_text('{"type": "module"}')
    compiler = WEB / "node_modules" / ".bin" / "tsc"
    done = subprocess.run(
        [compiler, "-p", target / "client" / "tsconfig.build.json"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout
    return target / "client" / "dist" / "index.js"


class EarlierSdk:
    """One user's client in a Node process, on one conversation, while inside `async with`."""

    def __init__(self, module: Path, cluster: Cluster, user: str, conversation_id: str) -> None:
        node = find_program("node", str(ROOT / ".tools" / "bin" / "node"))
        token = cluster.token(user, lifetime_seconds=3600)
        driver = Path(__file__).parent / "sdk.mjs"
        self._command = [node, driver, module, cluster.url, user, token, conversation_id]
        self._environment = os.environ | {
            "NODE_EXTRA_CA_CERTS": str(cluster.certificates.authority)
        }

    async def __aenter__(self) -> Self:
        self._process: Process = await asyncio.create_subprocess_exec(
            *map(str, self._command),
            stdin=PIPE, stdout=PIPE, env=self._environment, limit=2**22,
        )  # fmt: skip
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(scaled(5)):
                await self._process.wait()
        except TimeoutError:
            self._process.kill()
            await self._process.wait()

    async def stands(self) -> dict[str, Any]:
        """`state`, `seqs` of its messages, `lastSeq`, and `losses` of its connection."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b"\n")
        await self._process.stdin.drain()
        async with asyncio.timeout(scaled(10)):
            answer: dict[str, Any] = json.loads(await self._process.stdout.readline())
            return answer

    async def shows(self, seqs: list[int]) -> bool:
        """Whether it is online and shows exactly these messages, in this order."""
        where = await self.stands()
        return bool(where["state"] == "online" and where["seqs"] == seqs)
