#!/usr/bin/env bash
# Puts Python with other Kafka clients into a folder.
# usage: fetch.sh FOLDER
# Nothing is downloaded when the folder holds what requirements.txt names.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: fetch.sh FOLDER}
wanted=$({ cat "$here/fetch.sh" "$here/requirements.txt"; python3 --version; } | sha256sum)
[ "$(cat "$folder/.fetched" 2>/dev/null || true)" != "$wanted" ] || exit 0

echo "fetching Kafka clients for Python, once" >&2
rm -rf "$folder"
python3 -m venv "$folder"
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check --no-cache-dir --no-deps --only-binary=:all: \
    --requirement "$here/requirements.txt"
"$folder/bin/python" -c "import aiokafka, arango, confluent_kafka, cramjam, orjson"
echo "$wanted" > "$folder/.fetched"
