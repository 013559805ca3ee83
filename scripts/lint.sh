#!/usr/bin/env bash
# Everything a reviewer should not have to say: formatting, linters (pinned in
# tools/go.mod, chosen in .golangci.yml), a tidy go.mod, a contract that lints.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
fail() {
  echo "lint: $*" >&2
  failed=1
}
run() {
  echo "+ $*"
  "$@" || fail "failed: $*"
}

go_files() { find . -name node_modules -prune -o -name '*.go' -print0; }

echo "+ gofmt -l"
unformatted=$(go_files | xargs -0 gofmt -l)
[ -z "$unformatted" ] || fail "not formatted, run 'make fmt': ${unformatted//$'\n'/ }"

echo "+ no nolint comments"
if go_files | xargs -0 grep -n '//nolint'; then
  fail "obey the linter, or argue with it in .golangci.yml"
fi

run go mod tidy -diff
run go tool -modfile=tools/go.mod golangci-lint run ./...
run go -C tools/image mod tidy -diff
run go -C tools/image tool -modfile=../go.mod golangci-lint run ./...

# The linter of the contract reports its use to its makers unless told not to.
export REDOCLY_TELEMETRY=off REDOCLY_SUPPRESS_UPDATE_NOTICE=true
run tests/node/node_modules/.bin/redocly lint openapi.yaml

exit $failed
