#!/usr/bin/env bash
# Makes the virtual environment $1 with the project installed in it, editable, with its dev extra.
#
# A stamp in the environment holds the hash of what it was made from, so a later run costs nothing.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=${1:-build/venv}

new_enough() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

python=
for candidate in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 /usr/bin/python3}; do
    if new_enough "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ]; then
    echo "engram: no Python 3.11 or later with the venv module (tried: ${PYTHON:-python3, python3.11 … 3.14})." >&2
    echo "        Install Debian's python3 and python3-venv, or name one: make setup PYTHON=/path/to/python3" >&2
    exit 1
fi

# What the environment depends on: the project's own description, the interpreter and the place (scripts in
# an environment name it by its absolute path).
want=$( { cat pyproject.toml setup.py; "$python" -VV; pwd; } | sha256sum | cut -d' ' -f1)
[ "$(cat "$venv/.stamp" 2>/dev/null)" != "$want" ] || exit 0

echo "engram: making $venv with $("$python" -V)" >&2
rm -f "$venv/.stamp"
"$python" -m venv --clear "$venv"
pip=("$venv/bin/python" -m pip --disable-pip-version-check -q)
"${pip[@]}" install -e '.[dev]'
echo "$want" >"$venv/.stamp"
