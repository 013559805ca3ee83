#!/bin/sh
# Publishes one event with curl. Run: sh publish.sh [CHANNEL [JSON]]
# RELAY_API_URL is where the relay's api listens; RELAY_API_KEY is needed if it has keys.
set -eu
channel=$(printf '%s' "${1:-demo}" | sed 's/[\\"]/\\&/g')
data=${2:-'{"hello":"from curl"}'}
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# curl waits between its attempts for as long as Retry-After says. The key
# makes that safe: however often the relay gets it, the event is published once.
status=$(curl -sS --max-time 10 --retry 4 --retry-connrefused \
  -H "Content-Type: application/json" \
  -H "Idempotency-Key: $key" \
  ${RELAY_API_KEY:+-H "Authorization: Bearer $RELAY_API_KEY"} \
  -d "{\"channel\":\"$channel\",\"event\":\"hello\",\"data\":$data}" \
  -o "$answer" -w '%{http_code}' \
  "${RELAY_API_URL:-http://127.0.0.1:8081}/v1/events")

if [ "$status" != 200 ]; then
  cat "$answer" >&2 # a problem in JSON, whose details say what to do
  exit 1
fi
echo "$(sed -n 's/.*"id":"\([^"]*\)".*/\1/p' "$answer")"
