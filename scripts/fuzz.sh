#!/usr/bin/env bash
# Runs each fuzz test for FUZZTIME (default 10s): go can fuzz only one at a time.
# Then stories of the sockets for as long (tests/sockets).
set -euo pipefail
cd "$(dirname "$0")/.."

found=0
for package in $(go list ./...); do
  for name in $(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true); do
    echo "+ go test -run ^\$ -fuzz ^$name\$ -fuzztime ${FUZZTIME:-10s} $package"
    go test -run '^$' -fuzz "^$name\$" -fuzztime "${FUZZTIME:-10s}" "$package"
    found=$((found + 1))
  done
done
if [ "$found" -eq 0 ]; then
  echo "fuzz: found no fuzz test" >&2
  exit 1
fi
echo "fuzz: $found fuzz tests ran"
echo "+ STORIES=${FUZZTIME:-10s} go test -race -count=1 -timeout 0 ./tests/sockets"
STORIES="${FUZZTIME:-10s}" go test -race -count=1 -timeout 0 ./tests/sockets
