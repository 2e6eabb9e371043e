#!/usr/bin/env bash
# Puts Python 3.13 with libraries for market data into a folder.
# usage: fetch.sh FOLDER
# Nothing is downloaded when the folder holds what requirements.txt names.
# Older Pythons would get a version of order_book that is many times as slow.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: fetch.sh FOLDER}
python=
for candidate in python3.13 "$HOME"/.pyenv/versions/3.13.*/bin/python; do
    if "$candidate" -c "import venv" 2>/dev/null; then python=$candidate; break; fi
done
[ -n "$python" ] || { echo "there is no Python 3.13 with venv" >&2; exit 1; }
wanted=$({ cat "$here/fetch.sh" "$here/requirements.txt"; "$python" --version; } | sha256sum)
[ "$(cat "$folder/.fetched" 2>/dev/null || true)" != "$wanted" ] || exit 0

echo "fetching libraries for market data for Python, once" >&2
rm -rf "$folder"
"$python" -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --requirement "$here/requirements.txt"
"$folder/bin/python" -c "import cryptofeed, order_book"
echo "$wanted" > "$folder/.fetched"
