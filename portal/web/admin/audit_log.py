"""The audit log, of everybody: looked through, and taken out."""

from __future__ import annotations

from flask import Response, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal import clock
from portal.services.operators import audit_search
from portal.web import streams
from portal.web.admin.blueprint import blueprint
from portal.web.admin.log_form import AuditLogForm
from portal.web.admin.presenters import COLUMNS, file_rows, rows
from portal.web.identity import actor


@blueprint.get("/audit-log")
def audit_log() -> ResponseReturnValue:
    """Everything that was done, the newest first."""
    form = AuditLogForm()
    page = audit_search.search(actor(), form.wanted, before=request.args.get("before", type=int))
    return render_template(
        "admin/audit_log.html", form=form, page=page, rows=rows(page.items), query=form.query
    )


@blueprint.get("/audit-log.csv")
def audit_log_csv() -> Response:
    """The acts that fit, as CSV."""
    return _download("csv")


@blueprint.get("/audit-log.jsonl")
def audit_log_jsonl() -> Response:
    """The acts that fit, as JSON, one a line."""
    return _download("jsonl")


@blueprint.get("/record")
def record() -> ResponseReturnValue:
    """Where the audit log was before: lead on, with the filters."""
    filters = request.query_string.decode("ascii", "ignore")
    return redirect(url_for(".audit_log") + (f"?{filters}" if filters else ""), 301)


def _download(form: str) -> Response:
    portions = audit_search.take_out(actor(), AuditLogForm().wanted, form)
    return streams.download(file_rows(portions), COLUMNS, form, f"audit-log-{clock.today():%Y-%m-%d}")
