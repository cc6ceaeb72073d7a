"""`make cluster`: a whole cluster in the foreground, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
from contextlib import suppress

from cluster.cluster import Cluster
from cluster.programs import ProgramMissing

ACCOUNTS = {"admin@demo.pytake": "admin", "ana@demo.pytake": "agent", "bruno@demo.pytake": "agent"}
PASSWORD = "demonstration"


def main() -> int:
    # Ctrl-C in a shell, `kill` in a script: both end it in order.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        print("Starting Redis, PostgreSQL, the pods and NGINX ...", flush=True)
        try:
            with Cluster() as cluster:
                print(describe(cluster, create_accounts(cluster)), flush=True)
                signal.pause()
        except ProgramMissing as missing:
            print(missing, file=sys.stderr)
            return 3
    print("Stopped.")
    return 0


def create_accounts(cluster: Cluster) -> str:
    """Make the accounts that `pytake dev` has too, and return the token of an administrator."""
    organization = cluster.create_organization("Demo")
    ids = [
        cluster.create_user(email, organization=organization, role=role, password=PASSWORD)
        for email, role in ACCOUNTS.items()
    ]
    return cluster.token(
        ids[0], role="admin", organization=organization, lifetime_seconds=12 * 3600
    )


def describe(cluster: Cluster, token: str) -> str:
    """Where everything is, and how to try it."""
    curl = f"curl --cacert {cluster.certificates.authority} -H 'Authorization: Bearer '$TOKEN"
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
        '  Watch it:  make observe TARGETS="'
        + " ".join(f"{pod.kind}={pod.inner_address}" for pod in cluster.pods)
        + '"',
        "",
        f"  Sign in at {cluster.url} as {', '.join(ACCOUNTS)}; password: {PASSWORD}",
        "",
        "  Or with a token of the administrator, good for 12 hours:",
        f"  TOKEN={token}",
        f"  {curl} {cluster.url}/api/v1/conversations",
        "",
        "  Ctrl-C stops everything and removes its data.",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
