"""What is known of the request that is being answered."""

from __future__ import annotations

from flask import has_request_context, request

REQUEST_ID = "portal.request_id"
API = "/api/"


def client_ip_address() -> str:
    """The address of the client, as the trusted proxies tell it; empty when there is none."""
    return request.remote_addr or ""


def request_id() -> str:
    """The id of this request, made here; empty outside of a request."""
    return str(request.environ.get(REQUEST_ID, "")) if has_request_context() else ""
