#!/usr/bin/env bash
# bench/screen/falling.sh     an app that moves, over a link whose rate falls from 20 to 3 Mbit/s (root, `tc`): for how long the picture stands still.
# Chromium has a network namespace of its own; the link holds 200 ms of what is sent, as a home's router does.
set -euo pipefail
here=$(cd "$(dirname "$0")/../.." && pwd)
for program in ip tc; do command -v "$program" >/dev/null || { echo "SKIPPED falling: $program is not installed"; exit 0; }; done
[ "$(id -u)" = 0 ] || { echo "SKIPPED falling: network namespaces need root"; exit 0; }

work=$(mktemp -d "${TMPDIR:-/tmp}/hearth-falling.XXXXXX")
tag=hfall$$
trap 'ip netns del "$tag" 2>/dev/null || true; ip link del "$tag" 2>/dev/null || true; rm -rf "$work"' EXIT
ip netns add "$tag"
ip link add "$tag" type veth peer name eth0 netns "$tag"
ip addr add 10.98.0.1/24 dev "$tag"
ip link set "$tag" up
for command in "addr add 10.98.0.2/24 dev eth0" "link set eth0 up" "link set lo up"; do
  # shellcheck disable=SC2086
  ip -n "$tag" $command
done
rate() { echo "tc qdisc $1 dev $tag root tbf rate $2mbit burst 32k latency 200ms"; }
$(rate add 20)
printf '#!/bin/sh\nexec nsenter --net=/run/netns/%s /usr/bin/chromium "$@"\n' "$tag" >"$work/chromium"
chmod +x "$work/chromium"

BENCH_ADDRESS=10.98.0.1 CHROMIUM=$work/chromium BENCH_FALL=$(rate change 3) BENCH_RISE=$(rate change 20) \
  node "$here/tests/harness/run_suite.mjs" "$here/bench/screen" "$here/web" measure
