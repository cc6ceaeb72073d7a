"""What `helm test` runs inside the image: connect, join, post, receive, all as a client would.

Needs an HMAC key, because it signs a token for a user of its own. It leaves a conversation in an
organization that exists for this test alone.
"""

import asyncio
import json
import os
import subprocess
import sys
import time

import httpx
from websockets.asyncio.client import connect

USER = "helm-test"
DEADLINE_SECONDS = 20


def token() -> str:
    """Sign a token with the command that operators use."""
    command = ["pytake", "token", "--user", USER, "--organization", USER, "--role", "bot"]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


async def main() -> None:
    """Raise, and so exit with 1, when a step does not work in time."""
    bearer = token()
    headers = {"Authorization": f"Bearer {bearer}"}
    api = os.environ["API_URL"] + "/api/v1"
    socket = os.environ["GATEWAY_URL"].replace("http", "ws", 1)
    async with httpx.AsyncClient(headers=headers, timeout=10) as http:
        contact = {"name": "helm test", "phone": "+5511900000000"}
        opened = await http.post(f"{api}/conversations", json={"contact": contact})
        opened.raise_for_status()
        conversation = opened.json()["id"]
        async with connect(f"{socket}/socket.io/?EIO=4&transport=websocket") as client:
            await until(client, "0")
            await client.send("40" + json.dumps({"token": bearer}))
            await until(client, '42["connected"')
            await emit(client, "join_conversation", {"conversation_id": conversation})
            await until(client, '42["joined_conversation"')
            began = time.monotonic()
            body = {"message_type": "text", "content": {"text": "helm test"}}
            posted = await http.post(f"{api}/conversations/{conversation}/messages", json=body)
            posted.raise_for_status()
            await until(client, '42["message:new"', posted.json()["id"])
    print(f"connected, joined, posted and received in {time.monotonic() - began:.3f} s")


async def emit(client, event: str, data: dict) -> None:
    """Send one event."""
    await client.send("42" + json.dumps([event, data]))


async def until(client, beginning: str, containing: str = "") -> None:
    """Read until a packet begins and contains what is waited for; pings are answered."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while True:
            packet = await client.recv()
            if packet == "2":
                await client.send("3")
            elif packet.startswith("44"):
                sys.exit(f"refused: {packet[2:]}")
            elif packet.startswith(beginning) and containing in packet:
                return


if __name__ == "__main__":
    asyncio.run(main())
