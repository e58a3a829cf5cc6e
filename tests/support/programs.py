"""Where the programs stand that the tests start: in a locked package, or with the system."""

from __future__ import annotations

import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

SYSTEM = "/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin"
NGINX_MODULE = Path("/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so")


def in_venv(name: str) -> str:
    """A program that a wheel has brought into the virtual environment."""
    path = Path(sys.executable).parent / name
    assert path.is_file(), f"{name} is missing: scripts/setup.sh test installs it"
    return str(path)


def in_wheel(package: str, path: str) -> str:
    """A program that a wheel has brought inside its package."""
    spec = find_spec(package)
    assert spec, f"{package} is missing: scripts/setup.sh test installs it"
    assert spec.origin
    return str(Path(spec.origin).parent / path)


def in_system(name: str) -> str:
    """A program of Debian's; one of the same name in the virtual environment is another version."""
    path = shutil.which(name, path=SYSTEM)
    assert path, f"{name} is missing: scripts/setup.sh debian installs it"
    return path


def is_in_system(name: str) -> bool:
    """Whether the system has a program, with what we need of it."""
    found = shutil.which(name, path=SYSTEM) is not None
    return found and (name != "nginx" or NGINX_MODULE.exists())
