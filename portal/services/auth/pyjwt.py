"""PyJWT without ``cryptography``, which it would load with itself.

Our tokens are HMACs, which need none of it. It would cost each worker 12 MB, and only the
receiver of GitHub's reports has a use for it: :mod:`portal.services.abuse.github_signatures`.
"""

from __future__ import annotations

import sys
from typing import Any

_HIDDEN = "cryptography"

_modules: dict[str, Any] = sys.modules
_kept = _modules.get(_HIDDEN)
_modules[_HIDDEN] = None
try:
    import jwt
finally:
    del _modules[_HIDDEN]
    if _kept is not None:
        _modules[_HIDDEN] = _kept

__all__ = ["jwt"]
