"""Tells Kubernetes how much the end of this pod would cost: its connections.

When a Deployment shrinks, Kubernetes takes the pods whose
`controller.kubernetes.io/pod-deletion-cost` is lowest, so the emptiest gateway goes and the fewest
people move. It is a wish, renewed every half a minute where it has changed; while the API server
is away the last one stands. It needs a service account that may patch pods, which is why it is
off unless asked for.
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import structlog

log = structlog.get_logger()

EVERY_SECONDS = 30.0
PATIENCE_SECONDS = 5.0
ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
ANNOTATION = "controller.kubernetes.io/pod-deletion-cost"


@dataclass(frozen=True)
class PodAddress:
    """Where the API server keeps this pod, and with whose rights it is asked.

    Args:
        url: Of the pod's object.
        account: The folder with `token`, which Kubernetes renews, and `ca.crt`.
    """

    url: str
    account: Path

    @classmethod
    def found(
        cls, environment: Mapping[str, str], name: str, account: Path = ACCOUNT
    ) -> "PodAddress | None":
        """Return the address of the pod of this name, or None outside of Kubernetes."""
        host, port = (environment.get(f"KUBERNETES_SERVICE_{part}") for part in ("HOST", "PORT"))
        if not name or not host or not (account / "namespace").is_file():
            return None
        namespace = (account / "namespace").read_text().strip()
        host = f"[{host}]" if ":" in host else host
        return cls(f"https://{host}:{port}/api/v1/namespaces/{namespace}/pods/{name}", account)


class PodDeletionCost:
    """Keeps the annotation near the number of connections."""

    def __init__(
        self, pod: PodAddress, connections: Callable[[], int], every_seconds: float = EVERY_SECONDS
    ) -> None:
        self._pod = pod
        self._connections = connections
        self._every_seconds = every_seconds
        self._told: int | None = None
        self._is_failing = False

    async def run(self) -> None:
        """Tell until cancelled."""
        while True:
            cost = self._connections()
            if cost != self._told:
                await self._try_to_tell(cost)
            await asyncio.sleep(self._every_seconds)

    async def _try_to_tell(self, cost: int) -> None:
        try:
            await self._tell(cost)
        except (httpx.HTTPError, OSError) as error:
            if not self._is_failing:
                log.warning("deletion cost not told", reason=str(error) or repr(error))
            self._is_failing = True
        else:
            self._told, self._is_failing = cost, False

    async def _tell(self, cost: int) -> None:
        token = (self._pod.account / "token").read_text().strip()
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/merge-patch+json",
        }
        patch = {"metadata": {"annotations": {ANNOTATION: str(cost)}}}
        trusted = ssl.create_default_context(cafile=self._pod.account / "ca.crt")
        async with httpx.AsyncClient(verify=trusted, timeout=PATIENCE_SECONDS) as client:
            answer = await client.patch(self._pod.url, json=patch, headers=headers)
            answer.raise_for_status()
