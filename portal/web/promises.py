"""The page of the promises: what is kept, which test proves it, and when it was proved here."""

from __future__ import annotations

from flask import Blueprint, render_template

from portal.extensions import settings
from portal.promises import CHAPTERS, PROMISES
from portal.services.core.trouble import Readiness
from portal.services.system import selfcheck_results
from portal.services.system.readiness import readiness
from portal.version import running_version

blueprint = Blueprint("promises", __name__)


@blueprint.get("/promises")
def index() -> str:
    """Show the promises; anybody may read them."""
    found = {name: proof for name, proof in selfcheck_results.list_proofs().items() if name in PROMISES}
    is_ready = readiness(settings.peppers.get_secret_value()) is Readiness.READY
    current = {
        name
        for name, proof in found.items()
        if is_ready and selfcheck_results.is_of_now(proof, running_version())
    }
    broken = sum(not proof.held for proof in found.values())
    held = sum(found[name].held for name in current)
    return render_template(
        "promises/index.html",
        chapters=CHAPTERS,
        proofs=found,
        current=current,
        is_ready=is_ready,
        is_coming=settings.selfcheck_after > 0,
        held=held,
        broken=broken,
        missing=len(PROMISES) - held - broken,
        ran_at=min((found[name].ran_at for name in current), default=None),
    )
