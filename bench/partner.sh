#!/usr/bin/env bash
# bench/partner.sh [JOBS]     what it costs that a second hub has a copy of each commit before it is acknowledged: jobs that are submitted one after the
# other by the command line (its start included), to a hub alone and to the same with a hub beside it that stands by, on loopback and one disk.
# Prints key=value: medians and 95th percentiles in milliseconds.
set -euo pipefail
export LC_ALL=C
jobs=${1:-200}
here=$(cd "$(dirname "$0")" && pwd)
hearth=$(realpath "${BENCH_BUILD:-$here/../build/release}")/src/hearth
work=$(mktemp -d "${TMPDIR:-/tmp}/hearth-partner.XXXXXX")
finish() {
  for home in holder other; do HEARTH_HOME=$work/$home "$hearth" down >/dev/null 2>&1 || true; done
  rm -rf "$work"
}
trap finish EXIT

at() { local home=$1; shift; HEARTH_HOME=$work/$home "$hearth" "$@"; }
wait_for() { for _ in $(seq 600); do "$@" && return; sleep 0.1; done; echo "FAILED partner: timed out: $*" >&2; exit 1; }
asked() { grep -q shows "$work/coming"; }
is_whole() { at holder status --json | grep -q '"in_step": *true'; }
submit() {
  local name=$1 begun ended
  for _ in $(seq "$jobs"); do
    begun=$(date +%s%N)
    at holder run --detach -- true >/dev/null
    ended=$(date +%s%N)
    echo $(((ended - begun) / 1000))
  done | sort -n | awk -v name="$name" '{ a[NR] = $1 } END { printf "%s_ms median=%.1f p95=%.1f\n", name, a[int((NR + 1) / 2)] / 1000, a[int(NR * 0.95)] / 1000 }'
}

at holder up --address 127.0.0.1 --port 0 --no-invite >/dev/null
at holder limit --none >/dev/null
submit alone
link=$(at holder invite --role owner --json | sed -n 's/.*"\(https:[^"]*\)".*/\1/p' | head -n 1)
at other up --address 127.0.0.1 --port 0 --no-invite --standby-of "$link" >"$work/coming" 2>&1 &
wait_for asked
at holder devices allow "$(sed -n 's/.*shows[^0-9]*\([0-9]\{3\}\) *\([0-9]\{3\}\).*/\1\2/p' "$work/coming" | head -n 1)" >/dev/null
wait $!
wait_for is_whole
submit with_partner
