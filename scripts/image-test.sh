#!/usr/bin/env bash
# Builds the image of the last commit twice, in two clones, and compares the
# bytes. Then it runs what was built: in a bare chroot, under containerd, and
# the arm64 program under qemu. It needs root for mounts and containers, and
# works in a temporary folder.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { echo "image-test: $*"; }
fail() {
  echo "image-test: $*" >&2
  exit 1
}

[ "$(id -u)" -eq 0 ] || fail "mounts and containers need root"
missing=()
need() { command -v "$1" >/dev/null || missing+=("$2"); }
need containerd containerd
need ctr containerd
need runc runc
need qemu-aarch64-static qemu-user-static
need skopeo skopeo
need podman podman
[ ${#missing[@]} -eq 0 ] || fail "missing: apt-get install --no-install-recommends ${missing[*]}"

tmp=$(mktemp -d -t relay-image-test.XXXXXX)
containerd_pid=
container=relay-image-test-$$
ctr() { command ctr --address "$tmp/containerd.sock" "$@"; }
clean() {
  if [ -n "$containerd_pid" ]; then
    ctr task kill --signal SIGKILL "$container" >/dev/null 2>&1 || true
    ctr task rm --force "$container" >/dev/null 2>&1 || true
    ctr container rm "$container" >/dev/null 2>&1 || true
    kill "$containerd_pid" && wait "$containerd_pid" || true
  fi
  rm -rf "$tmp"
}
trap clean EXIT

# until_true SECONDS COMMAND... repeats a command until it succeeds.
until_true() {
  local deadline=$((SECONDS + $1))
  shift
  until "$@" >"$tmp/last" 2>&1; do
    [ "$SECONDS" -lt "$deadline" ] || fail "in vain: $*: $(cat "$tmp/last")"
    sleep 0.2
  done
}

# The second build shares nothing with the first but the modules' sources:
# another path, another depth, an empty build cache, and other habits.
build_twice() {
  git clone --quiet . "$tmp/one"
  git clone --quiet . "$tmp/far/away/two"
  say "builds $(git -C "$tmp/one" rev-parse HEAD) in $tmp/one"
  make --silent -C "$tmp/one" image
  say "builds it again, from an empty cache, in $tmp/far/away/two"
  (
    umask 077
    export GOCACHE="$tmp/cache" TZ=Asia/Kathmandu LC_ALL=C GOAMD64=v3 CGO_ENABLED=1 GOFLAGS=-buildvcs=false
    make --silent -C "$tmp/far/away/two" image
  )
  local file
  for file in relay.oci.tar relay.sbom.json; do
    cmp "$tmp/one/bin/$file" "$tmp/far/away/two/bin/$file" || fail "two builds of $file differ"
    say "same bytes twice: $(cd "$tmp/one/bin" && sha256sum "$file")"
  done
}

unpack() {
  mkdir "$tmp/layout" "$tmp/root"
  tar -xf "$archive" -C "$tmp/layout"
  say "$(go -C tools/image run ./unpack "$tmp/layout" "$tmp/root")"
  grep -q BEGIN.CERTIFICATE "$tmp/root/amd64/etc/ssl/certs/ca-certificates.crt" || fail "no certificates"
}

# Nothing but the kernel: no network, no other file, nothing to write to.
run_in_chroot() {
  unshare --mount --net --pid --ipc --uts --fork sh -euc '
    mount --bind "$0" "$0"
    mount -o remount,bind,ro "$0"
    if touch "$0/x" 2>/dev/null; then echo "the root can be written to" >&2; exit 1; fi
    exec chroot --userspec=65532:65532 --groups=65532 "$0" /relay version
  ' "$tmp/root/amd64" >"$tmp/amd64.txt"
  grep -q "commit $(git -C "$tmp/one" rev-parse HEAD)" "$tmp/amd64.txt" || fail "relay version says $(cat "$tmp/amd64.txt")"
  say "ran in a chroot as 65532, read-only, without a network: $(paste -sd' ' "$tmp/amd64.txt")"
}

run_arm64() {
  qemu-aarch64-static "$tmp/root/arm64/relay" version >"$tmp/arm64.txt"
  grep -q linux/arm64 "$tmp/arm64.txt" || fail "relay version says $(cat "$tmp/arm64.txt")"
  say "ran under qemu, not on arm64: $(paste -sd' ' "$tmp/arm64.txt")"
}

start_containerd() {
  cat >"$tmp/containerd.toml" <<TOML
version = 2
root = "$tmp/containerd"
state = "$tmp/state"
disabled_plugins = ["io.containerd.grpc.v1.cri"]
[grpc]
address = "$tmp/containerd.sock"
TOML
  containerd --config "$tmp/containerd.toml" >"$tmp/containerd.log" 2>&1 &
  containerd_pid=$!
  until_true 60 ctr version
}

publish() {
  publishes=$((publishes + 1))
  ctr task exec --exec-id "publish-$publishes" "$container" /relay pub demo greeting '{"hello":"image"}'
}

# The image's own user, entrypoint and environment; only the root is made
# read-only, as the pods do.
run_in_containerd() {
  local name pid relay status=0 publishes=0
  start_containerd
  ctr image import --all-platforms --snapshotter native "$archive" >"$tmp/import.txt" || fail "import: $(cat "$tmp/import.txt" "$tmp/containerd.log")"
  name=$(ctr image ls -q)
  say "containerd took it as $name"
  ctr run --read-only --snapshotter native "$name" "$container" >"$tmp/relay.log" 2>&1 &
  relay=$!
  until_true 60 publish
  say "published in it: $(cat "$tmp/last")"
  pid=$(ctr task ls | awk -v name="$container" '$1 == name { print $2 }')
  grep -q $'^Uid:\t65532\t65532\t65532\t65532$' "/proc/$pid/status" || fail "the relay is $(grep Uid "/proc/$pid/status")"
  grep -q $'^Gid:\t65532\t65532\t65532\t65532$' "/proc/$pid/status" || fail "the relay is $(grep Gid "/proc/$pid/status")"
  grep -q $'^CapEff:\t0000000000000000$' "/proc/$pid/status" || fail "the relay can do $(grep CapEff "/proc/$pid/status")"
  awk '$5 == "/" && $6 ~ /^ro(,|$)/ { found = 1 } END { exit !found }' "/proc/$pid/mountinfo" || fail "its root can be written to"
  ctr task kill --signal SIGTERM "$container"
  wait "$relay" || status=$?
  [ "$status" -eq 0 ] || fail "after SIGTERM it left with $status: $(cat "$tmp/relay.log")"
  say "ran under containerd as 65532 without capabilities, read-only; left with 0 on SIGTERM"
}

# What people load it with, as far as that needs no registry and no daemon.
load() {
  skopeo copy --quiet --all --insecure-policy "oci-archive:$archive" "dir:$tmp/skopeo"
  local platforms
  platforms=$(find "$tmp/skopeo" -name '*.manifest.json' | wc -l)
  [ "$platforms" -eq 2 ] || fail "skopeo copied $platforms platforms"
  say "skopeo copied both platforms"
  podman --root "$tmp/podman" --runroot "$tmp/podman-run" --storage-driver vfs load --quiet --input "$archive" >"$tmp/podman.txt"
  say "podman: $(cat "$tmp/podman.txt")"
}

build_twice
archive=$tmp/one/bin/relay.oci.tar
unpack
run_in_chroot
run_arm64
run_in_containerd
load
