"""`make cluster`: a whole cluster in the foreground, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

from cluster.cluster import Cluster
from cluster.programs import ProgramMissing


def main() -> int:
    # Ctrl-C in a shell, `kill` in a script: both end it in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        print("Starting Redis, PostgreSQL, the pods and NGINX ...", flush=True)
        try:
            with Cluster() as cluster:
                print(describe(cluster), flush=True)
                signal.pause()
        except ProgramMissing as missing:
            print(missing, file=sys.stderr)
            return 3
    print("Stopped.")
    return 0


def describe(cluster: Cluster) -> str:
    """Where everything is, and how to try it."""
    ana = cluster.token("ana", lifetime_seconds=12 * 3600)
    lines = [
        "",
        f"  Proxy (TLS)    {cluster.url}",
        f"  trust it with  {cluster.certificates.authority}",
        f"  PostgreSQL     {cluster.database_url('postgresql')}",
        f"  Redis          {cluster.redis.url}",
        *(
            f"  {pod.name:<14} {pod.address}   inner {pod.inner_address}   log {pod.log}"
            for pod in cluster.pods
        ),
        "",
        "  A token of the agent Ana for 12 hours:",
        f"  {ana}",
        "",
        f"  curl --cacert {cluster.certificates.authority} \\",
        f"       -H 'Authorization: Bearer {ana[:12]}...' {cluster.url}/api/v1/conversations",
        "",
        "  Ctrl-C stops everything and removes its data.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
