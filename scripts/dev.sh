#!/usr/bin/env bash
# Serve the portal for whoever works on it: demo data, a debugger, and anew whenever the code
# changes. The jobs run beside it and end with it. Everything is in instance/dev (or DEV_FOLDER),
# on SQLite and on this machine only, whatever the settings of the environment say but PORTAL_PORT.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077

port=${PORTAL_PORT:-8000} folder=${DEV_FOLDER:-instance/dev}
for name in "${!PORTAL_@}"; do unset "$name"; done
export PORTAL_INSTANCE_PATH=$folder PORTAL_PORT=$port PORTAL_LOG_LEVEL=warning
flask=(.venv/bin/python -m flask --app wsgi)
note=$folder/sign-in.txt

mkdir -p "$folder"
if [ ! -s "$note" ]; then
    echo "Making a year of demo data in $folder; that takes some ten seconds."
    "${flask[@]}" demo >"$note.new" || { echo "Remove $folder and begin again." >&2; exit 1; }
    mv "$note.new" "$note"
fi
"${flask[@]}" db upgrade
cat "$note"
"${flask[@]}" jobs run --parent $$ &
exec "${flask[@]}" run --debug --port "$port"
