#!/usr/bin/env bash
# Makes a Python of its own with the packages of a list, once. usage: install.sh LIST FOLDER
set -euo pipefail
list=${1:?usage: install.sh LIST FOLDER}
folder=${2:?usage: install.sh LIST FOLDER}
wanted=$({ cat "$list" "$0"; python3 --version; } | sha256sum)
[ "$(cat "$folder/.installed" 2>/dev/null || true)" != "$wanted" ] || exit 0

python3 -c "import venv, ensurepip" || { echo "it takes a Python with venv, Debian's python3-venv" >&2; exit 1; }
echo "installing what $list names, once" >&2
rm -rf "$folder"
mkdir -p "$(dirname "$folder")"
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --requirement "$list"
"$folder/bin/python" -m pip check --quiet --disable-pip-version-check
echo "$wanted" > "$folder/.installed"
