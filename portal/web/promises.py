"""The page of the promises: what is kept, which test proves it, and when it was proved here."""

from __future__ import annotations

from flask import Blueprint, render_template

from portal.promises import CHAPTERS, PROMISES
from portal.services import proofs

blueprint = Blueprint("promises", __name__)


@blueprint.get("/promises")
def index() -> str:
    """Show the promises; anybody may read them."""
    found = {name: proof for name, proof in proofs.list_proofs().items() if name in PROMISES}
    held = sum(proof.held for proof in found.values())
    return render_template(
        "promises/index.html",
        chapters=CHAPTERS,
        proofs=found,
        held=held,
        broken=len(found) - held,
        missing=len(PROMISES) - len(found),
        ran_at=min((proof.ran_at for proof in found.values()), default=None),
    )
