#!/usr/bin/env bash
# Installs the programs of Debian's PostgreSQL where they are missing, without a server that Debian itself would start.
set -euo pipefail
! compgen -G '/usr/lib/postgresql/*/bin/postgres' >/dev/null || exit 0
! command -v initdb >/dev/null || exit 0

apt-get update -qq
# The first package brings the file that says whether the second one makes a database and starts it.
# https://manpages.debian.org/bookworm/postgresql-common/pg_createcluster.1.en.html
apt-get install -y --no-install-recommends postgresql-common
settings=/etc/postgresql-common/createcluster.conf
before=$(mktemp)
cp "$settings" "$before"
trap 'cat "$before" > "$settings"; rm -f "$before"' EXIT
echo "create_main_cluster = false" >> "$settings"
apt-get install -y --no-install-recommends postgresql
