"""A server of FastMCP whose verifier asks the portal about every visitor's token."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import httpx2
from fastmcp import FastMCP
from fastmcp.server.auth.providers.introspection import IntrospectionTokenVerifier
from fastmcp.server.dependencies import get_access_token

told = json.load(sys.stdin)


def verifier_of(who: dict[str, str]) -> IntrospectionTokenVerifier:
    return IntrospectionTokenVerifier(
        introspection_url=f"{told['url']}/api/introspect",
        client_id=who["id"],
        client_secret=who["secret"],
        client_auth_method=told["way"],
        required_scopes=["level:1"],
        audience=told.get("audience"),
    )


async def ask(who: dict[str, str], tokens: dict[str, str]) -> dict[str, Any]:
    """Have each token call the one tool of a server: the status, and what the tool saw."""
    server = FastMCP("orders", auth=verifier_of(who))

    @server.tool
    def whoami() -> str:
        token = get_access_token()
        assert token is not None
        return f"{token.subject} {token.client_id} {' '.join(token.scopes)}"

    app = server.http_app(stateless_http=True, json_response=True)
    async with app.router.lifespan_context(app):
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://127.0.0.1") as visitor:
            return {name: await call(visitor, token) for name, token in tokens.items()}


async def call(visitor: httpx2.AsyncClient, token: str) -> dict[str, Any]:
    answer = await visitor.post(
        "/mcp",
        headers={"Authorization": f"Bearer {token}", "Accept": "application/json, text/event-stream"},
        json={
            "jsonrpc": "2.0",
            "id": 1,
            "method": "tools/call",
            "params": {"name": "whoami", "arguments": {}},
        },
    )
    said = answer.json()
    content = said["result"]["content"][0]["text"] if answer.status_code == 200 else said["error"]
    return {"status": answer.status_code, "said": content}


async def main() -> None:
    answers = await ask(told["service"], told["tokens"])
    wrong = await ask(told["wrong"], {"good": told["tokens"]["good"]})
    low = await ask(told["low"], {"good": told["tokens"]["good"]})
    json.dump({"answers": answers, "wrong": wrong["good"], "low": low["good"]}, sys.stdout)


asyncio.run(main())
