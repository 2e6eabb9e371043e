#!/usr/bin/env bash
# Puts Apache Kafka into a folder: 45 MB of jars, once. usage: fetch.sh FOLDER
# Nothing is downloaded when the folder holds what pom.xml and sha256sums name.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
folder=${1:?usage: fetch.sh FOLDER}
command -v java >/dev/null || { echo "Kafka needs Java 17 or later: run make servers, or apt-get install default-jre-headless" >&2; exit 1; }
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)

# Two tests of one machine must not unpack into each other's files.
exec 9> "$folder/.lock"
flock 9
wanted=$(cat "$here/fetch.sh" "$here/pom.xml" "$here/sha256sums" | sha256sum)
[ "$(cat "$folder/.fetched" 2>/dev/null || true)" != "$wanted" ] || exit 0

command -v mvn >/dev/null || { echo "Kafka is fetched by Maven: run make servers, or apt-get install maven" >&2; exit 1; }
work=$(mktemp -d "$folder/.work.XXXXXX")
trap 'rm -rf "$work"' EXIT
echo "fetching Apache Kafka, once" >&2
mvn --batch-mode --quiet -Dstyle.color=never --file "$here/pom.xml" -Dmaven.repo.local="$work/repository" \
    org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies -DoutputDirectory="$work/libs" >&2
(cd "$work/libs" && sha256sum --check --quiet --strict "$here/sha256sums")
[ "$(find "$work/libs" -name '*.jar' | wc -l)" = "$(wc -l < "$here/sha256sums")" ] || { echo "Maven brought jars that sha256sums does not name" >&2; exit 1; }
rm -rf "$folder/libs"
mv "$work/libs" "$folder/libs"
echo "$wanted" > "$folder/.fetched"
