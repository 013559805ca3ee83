#!/usr/bin/env bash
# Makes sure that everything the tests run is on this machine, and installs
# what is missing through the system's package manager. It changes nothing
# when all is there. What it cannot install it names, one sentence each, and
# fails: a test that cannot run must not look like one that passed.
#
# `setup.sh helm` makes sure of Helm instead, which only `make chart-test` runs.
set -euo pipefail
cd "$(dirname "$0")/.."

# One line per thing: the check, then its packages in apt, dnf and brew ("-":
# that manager has none), then what it is for.
things() {
  cat <<'TABLE'
have_cc        | gcc libc6-dev            | gcc                     | -                 | a C compiler, for the race detector
have_curl      | curl                     | curl                    | curl              | curl, for the examples and tests with a plain HTTP client
have_redis     | redis-server             | redis                   | redis             | redis-server, of which the tests start their own on free ports
have_prometheus | prometheus              | golang-github-prometheus | prometheus       | prometheus with promtool, which tests scrape relays with and check the alert rules
have_chromium  | chromium                 | chromium                | -                 | chromium, for the tests in a browser
have_php       | php-cli                  | php-cli                 | php               | php, for the PHP example
have_websocket | python3 python3-websocket | python3 python3-websocket-client | -       | python3 with the package websocket-client, for the Python clients
have_node      | nodejs                   | nodejs                  | node              | node 18 or later, for the JavaScript clients and the OpenAPI linter
have_npm       | npm                      | nodejs-npm              | node              | npm, which fetches the packages in tests/node
have_java      | default-jdk-headless     | java-latest-openjdk-devel | openjdk         | a JDK 11 or later, for the Java example
TABLE
}

# A compiler without the C library's headers does not do.
have_cc() { "${CC:-gcc}" -E -x c - <<<'#include <stdlib.h>' >/dev/null 2>&1; }
have_curl() { command -v curl >/dev/null; }
have_redis() { command -v redis-server >/dev/null; }
have_prometheus() { command -v prometheus >/dev/null && command -v promtool >/dev/null; }
have_chromium() { command -v chromium >/dev/null || command -v chromium-browser >/dev/null || command -v google-chrome >/dev/null; }
have_php() { command -v php >/dev/null; }
have_node() { command -v node >/dev/null && node -e 'process.exit(parseInt(process.versions.node) >= 18 ? 0 : 1)'; }
have_npm() { command -v npm >/dev/null; }
# A machine may have a second python3 in front of the system's; the tests look at both.
have_websocket() { /usr/bin/python3 -c 'import websocket' 2>/dev/null || python3 -c 'import websocket' 2>/dev/null; }
# macOS has a java that only says that there is none.
have_java() { javac -version >/dev/null 2>&1; }

trim() { local s=$1; s=${s#"${s%%[![:space:]]*}"}; printf '%s' "${s%"${s##*[![:space:]]}"}"; }

manager() {
  local m
  for m in apt-get dnf brew; do
    if command -v "$m" >/dev/null; then
      echo "$m"
      return
    fi
  done
}

# missing prints the table's lines whose check fails.
missing() {
  local check rest
  things | while IFS='|' read -r check rest; do
    "$(trim "$check")" || printf '%s|%s\n' "$(trim "$check")" "$rest"
  done
}

# packages MANAGER prints the packages of the table's lines on standard input.
packages() {
  local apt dnf brew list
  while IFS='|' read -r _ apt dnf brew _; do
    case $1 in
      apt-get) list=$apt ;;
      dnf) list=$dnf ;;
      brew) list=$brew ;;
    esac
    list=$(trim "$list")
    [ "$list" = - ] || printf '%s ' "$list"
  done
}

# as_root runs a command as root, and says which one when it cannot.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif command -v sudo >/dev/null; then
    sudo "$@"
  else
    echo "setup: this needs root and there is no sudo; run as root: $*" >&2
    return 1
  fi
}

install_packages() {
  local manager=$1
  shift
  echo "setup: $manager installs: $*"
  case $manager in
    apt-get)
      as_root apt-get update -q
      as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
      ;;
    dnf) as_root dnf install -y "$@" ;;
    brew) brew install "$@" ;;
  esac
}

# Debian starts a package's service when it installs it. The tests want the
# program, not one on its well-known port that nobody asked for.
stop_service() {
  if [ -d /run/systemd/system ]; then
    as_root systemctl disable --now "$1" || true
  elif [ -x "/etc/init.d/$1" ]; then
    as_root service "$1" stop || true
    as_root update-rc.d "$1" disable || true
  fi
}

install_missing() {
  local lines manager names service services=()
  lines=$(missing)
  [ -n "$lines" ] || return 0
  have_redis || services+=(redis-server)
  have_prometheus || services+=(prometheus)
  manager=$(manager)
  if [ -n "$manager" ]; then
    names=$(packages "$manager" <<<"$lines")
    # shellcheck disable=SC2086 # several names
    [ -z "$names" ] || install_packages "$manager" $names || true
    if [ "$manager" = apt-get ]; then
      for service in ${services[@]+"${services[@]}"}; do
        stop_service "$service"
      done
    fi
  fi

  lines=$(missing)
  [ -n "$lines" ] || return 0
  while IFS='|' read -r _ _ _ _ purpose; do
    echo "setup: missing: $(trim "$purpose"). Install it, then run this again." >&2
  done <<<"$lines"
  return 1
}

# npm ci starts from nothing each time; the stamp tells that its result stands.
install_node_packages() {
  local stamp=tests/node/node_modules/.stamp want
  want="$(cksum <tests/node/package-lock.json) $(node --version)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$want" ]; then
    return
  fi
  echo "setup: npm ci in tests/node"
  (cd tests/node && npm ci --no-progress)
  printf '%s\n' "$want" >"$stamp"
}

# No system's package manager has Helm by itself. From source it is the same
# everywhere, and takes minutes once.
install_helm() {
  if command -v helm >/dev/null || [ -x bin/helm ]; then
    return
  fi
  echo "setup: go install helm, which takes minutes"
  GOBIN="$PWD/bin" go install helm.sh/helm/v3/cmd/helm@v3.22.0
}

if ! command -v go >/dev/null; then
  echo "setup: missing: Go 1.26 or later, from https://go.dev/dl/. Install it, then run this again." >&2
  exit 1
fi
if [ "${1:-}" = helm ]; then
  install_helm
  exit
fi
install_missing
install_node_packages
