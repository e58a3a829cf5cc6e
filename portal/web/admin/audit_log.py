"""The audit log, of everybody."""

from __future__ import annotations

from flask import redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from portal.services.core import audit
from portal.services.operators import queries as operator_queries
from portal.web.admin.blueprint import blueprint
from portal.web.admin.forms import AuditLogForm
from portal.web.admin.presenters import rows
from portal.web.identity import actor


@blueprint.get("/audit-log")
def audit_log() -> ResponseReturnValue:
    """Everything that was done, the newest first."""
    form = AuditLogForm()
    account_id = form.account.data
    operator_queries.note_log_read(actor(), account_id)
    page = audit.list_events_before(
        request.args.get("before", type=int), account_id=account_id, action=form.chosen_action
    )
    return render_template(
        "admin/audit_log.html",
        form=form,
        page=page,
        rows=rows(page.items),
        query={"account": account_id, "action": form.action.data or None},
    )


@blueprint.get("/record")
def record() -> ResponseReturnValue:
    """Where the audit log was before: lead on, with the filters."""
    filters = request.query_string.decode("ascii", "ignore")
    return redirect(url_for(".audit_log") + (f"?{filters}" if filters else ""), 301)
