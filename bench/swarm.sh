#!/usr/bin/env bash
# bench/swarm.sh [MEBIBYTES]     one large input to 8 nodes at once, each with a network namespace and a link of its own (root), through the hub and
# as files of an rsync daemon; prints key=value figures, or "SKIPPED swarm: why". BENCH_LINK_MBIT: each link's rate, both ways (standard: 100).
# The time of ours is from the task's assignment to the end of a task that does nothing: fetching, deciphering, checking, storing encrypted.
set -euo pipefail
export LC_ALL=C

mebibytes=${1:-256}
mbit=${BENCH_LINK_MBIT:-100}
nodes=8
here=$(cd "$(dirname "$0")" && pwd)
hearth=$(realpath "${BENCH_BUILD:-$here/../build/release}")/src/hearth
skip() { echo "SKIPPED swarm: $1"; exit 0; }
[ "$(id -u)" = 0 ] || skip "network namespaces need root"
[ -x "${hearth%/*}/hearth-swarm" ] || skip "hearth-swarm was not built"
for program in ip tc nsenter rsync; do command -v "$program" >/dev/null || skip "$program is not installed"; done

work=$(mktemp -d "${TMPDIR:-/tmp}/hearth-swarm.XXXXXX")
tag=hsw$$
daemon=
finish() {
  [ -z "$daemon" ] || kill "$daemon" 2>/dev/null || true
  for ((i = 0; i <= nodes; ++i)); do
    if [ -d "$work/$i" ]; then "$hearth" down --home "$work/$i" >/dev/null 2>&1 || true; fi
    ip netns del "$tag-$i" 2>/dev/null || true
  done
  ip link del "$tag" 2>/dev/null || true
  rm -rf "$work"
}
trap finish EXIT

# Only the network is another: control groups and files stay.
within() { local i=$1; shift; nsenter --net="/run/netns/$tag-$i" "$@"; }
shape() { tc qdisc add dev "$1" root tbf rate "${mbit}mbit" burst 512k latency 100ms; }
connect() {
  local i=$1
  ip netns add "$tag-$i"
  ip link add "v$i-$$" type veth peer name eth0 netns "$tag-$i"
  ip link set "v$i-$$" master "$tag" up
  within "$i" ip addr add "10.97.0.$((i + 1))/24" dev eth0
  within "$i" ip link set eth0 up
  within "$i" ip link set lo up
  shape "v$i-$$"
  within "$i" tc qdisc add dev eth0 root tbf rate "${mbit}mbit" burst 512k latency 100ms
}
field() { sed -n "s/.*\"$1\": *\"\{0,1\}\([^\",}]*\).*/\1/p" | head -n 1; }
at() { local i=$1; shift; HEARTH_HOME="$work/$i" within "$i" "$hearth" "$@"; }
wait_for() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; skip "timed out: $*"; }
listens() { [ "$(field swarm_port <"$work/$1/node/status.json" 2>/dev/null || echo 0)" -gt 0 ] 2>/dev/null; }
asked() { grep -q shows "$work/join$1" 2>/dev/null; }
ended() { ! kill -0 "$1" 2>/dev/null; }
now() { date +%s.%N; }
span() { awk -v a="$1" -v b="$2" 'BEGIN { printf "%.2f", b - a }'; }
uploaded() { within 0 ip -s link show eth0 | awk '/TX:/ { getline; print $1 }'; }

ip link add "$tag" type bridge
ip link set "$tag" up
for ((i = 0; i <= nodes; ++i)); do connect "$i"; done
head -c "${mebibytes}M" /dev/urandom >"$work/big"

# rsync first: what it needs of the page cache is there for both.
cat >"$work/rsyncd.conf" <<CONF
use chroot = no
uid = 0
gid = 0
[files]
path = $work
include = /big
exclude = *
read only = yes
CONF
nsenter --net="/run/netns/$tag-0" rsync --daemon --no-detach --address 10.97.0.1 --port 8730 --config "$work/rsyncd.conf" &
daemon=$!
sleep 1
before=$(now)
copies=()
for ((i = 1; i <= nodes; ++i)); do
  within "$i" rsync -W "rsync://10.97.0.1:8730/files/big" "$work/copy$i" &
  copies+=($!)
done
wait "${copies[@]}"
rsync_seconds=$(span "$before" "$(now)")
rm -f "$work"/copy*
kill "$daemon"
daemon=

at 0 up --address 10.97.0.1 --port 0 --no-invite >/dev/null
at 0 limit --cores 0 >/dev/null
for ((i = 1; i <= nodes; ++i)); do
  link=$(at 0 invite --no-wait --json | grep -o 'https://[^"]*' | head -n 1)
  at "$i" join "$link" --name "node$i" >"$work/join$i" 2>&1 &
  joining=$!
  wait_for asked "$i"
  at 0 devices allow "node$i" >/dev/null
  wait "$joining"
done
for ((i = 1; i <= nodes; ++i)); do wait_for listens "$i"; done
cores=$(nproc)
# Uploads the file, and no more.
waiting=$(at 0 run --detach --where "name == 'nobody'" --input "$work/big" -- true)
at 0 cancel "$waiting" >/dev/null
before_bytes=$(uploaded)
before=$(now)
at 0 run -n "$nodes" --cores "$cores" --memory 64M --input "$work/big" -- true >"$work/output" 2>&1 || skip "the job failed: $(tail -n 1 "$work/output")"
swarm_seconds=$(span "$before" "$(now)")
swarms=$(cat "$work"/*/log | grep -c 'a blob came from other nodes' || true)
awk -v m="$mebibytes" -v n="$nodes" -v s="$swarm_seconds" -v r="$rsync_seconds" -v b=$(($(uploaded) - before_bytes)) -v k="$swarms" 'BEGIN {
  printf "swarm_mib_per_s=%.1f rsync_mib_per_s=%.1f swarm_seconds=%.1f rsync_seconds=%.1f hub_sent_sizes=%.2f nodes_by_swarm=%d\n",
    m * n / s, m * n / r, s, r, b / (m * 1048576), k }'
