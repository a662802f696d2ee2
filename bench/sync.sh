#!/usr/bin/env bash
# bench/sync.sh [FILES]: how long many files of 4 KiB (10000) take from one folder to another, by `hearth drive sync` (from
# a laptop to the drive, and from the drive to a second laptop) and by two Syncthings on loopback, in turn on the same
# disk. All have their files fsynced. One line each: seconds that passed, files a second. Syncthing is told to look at its
# folder when the files are there, and is done when the other one says that it lacks nothing. BENCH_BUILD: a release
# build; TMPDIR: where.
set -euo pipefail
files=${1:-10000}
here=$(cd "$(dirname "$0")" && pwd)
hearth=$(realpath "${BENCH_BUILD:-$here/../build/release}")/src/hearth
work=$(mktemp -d "${TMPDIR:-/tmp}/hearth-sync-bench.XXXXXX")
peers=()
finish() {
  for peer in "${peers[@]}"; do kill "$peer" 2>/dev/null || true; done
  "$hearth" down --home "$work/home" >/dev/null 2>&1 || true
  wait
  rm -rf "$work"
}
trap finish EXIT

mkdir "$work/laptop" "$work/second" "$work/home"
for folder in $(seq 0 9); do
  mkdir "$work/laptop/d$folder"
  head -c $((files / 10 * 4096)) /dev/urandom | split -b 4096 -a 6 -d - "$work/laptop/d$folder/f"
done
sync -f "$work"

report() { # name began ended
  awk -v n="$1" -v b="$2" -v e="$3" -v f="$files" 'BEGIN { printf "%-20s passed=%.2f rate=%.0f\n", n, e - b, f / (e - b) }'
}
measure() { # name command...
  local name=$1 began
  shift
  began=$(date +%s.%N)
  "$@"
  report "$name" "$began" "$(date +%s.%N)"
}

"$hearth" up --home "$work/home" --address 127.0.0.1 --port 0 --no-invite >/dev/null 2>&1
"$hearth" drive usage --home "$work/home" >/dev/null # waits for the hub
measure hearth-to-drive "$hearth" drive sync "$work/laptop" --home "$work/home" 2>/dev/null
measure hearth-from-drive "$hearth" drive sync "$work/second" --home "$work/home" 2>/dev/null
diff -r -x .hearth-sync "$work/laptop" "$work/second"
measure hearth-nothing-new "$hearth" drive sync "$work/second" --home "$work/home" 2>/dev/null
"$hearth" down --home "$work/home" >/dev/null 2>&1
rm -rf "$work/second" "$work/laptop/.hearth-sync" "$work/home/drive"
sync -f "$work"

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
declare -A id port gui
for peer in one two; do
  mkdir "$work/$peer" "$work/$peer-files"
  syncthing generate --home="$work/$peer" --no-default-folder >/dev/null 2>&1
  id[$peer]=$(syncthing --home="$work/$peer" --device-id)
  port[$peer]=$(free_port)
  gui[$peer]=$(free_port)
done
for peer in one two; do
  cat >"$work/$peer/config.xml" <<CONF
<configuration version="36">
  <folder id="bench" path="$work/$peer-files" type="sendreceive" rescanIntervalS="0" fsWatcherEnabled="false">
    <device id="${id[one]}"></device><device id="${id[two]}"></device>
  </folder>
  <device id="${id[one]}" name="one"><address>tcp://127.0.0.1:${port[one]}</address></device>
  <device id="${id[two]}" name="two"><address>tcp://127.0.0.1:${port[two]}</address></device>
  <gui enabled="true" tls="false"><address>127.0.0.1:${gui[$peer]}</address><apikey>bench</apikey></gui>
  <options>
    <listenAddress>tcp://127.0.0.1:${port[$peer]}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled><localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled><natEnabled>false</natEnabled><startBrowser>false</startBrowser>
    <urAccepted>-1</urAccepted><crashReportingEnabled>false</crashReportingEnabled>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH><reconnectionIntervalS>1</reconnectionIntervalS>
    <setLowPriority>false</setLowPriority>
  </options>
</configuration>
CONF
  syncthing serve --home="$work/$peer" --no-browser --no-restart --no-upgrade >"$work/$peer/log" 2>&1 &
  peers+=($!)
done
ask() { # peer path [curl options]
  curl -sS -H 'X-API-Key: bench' "${@:3}" "http://127.0.0.1:${gui[$1]}/rest/$2"
}
until ask one system/connections 2>/dev/null | grep -A8 "${id[two]}" | grep -q '"connected": true'; do sleep 0.2; done
mv "$work"/laptop/d* "$work/one-files/"
lacks_nothing() {
  ask two 'db/status?folder=bench' | python3 -c "
import json, sys
status = json.load(sys.stdin)
sys.exit(0 if status['localFiles'] == $files and status['needFiles'] == 0 and status['state'] == 'idle' else 1)"
}
began=$(date +%s.%N)
ask one 'db/scan?folder=bench' -X POST >/dev/null
until lacks_nothing; do sleep 0.1; done
report syncthing "$began" "$(date +%s.%N)"
diff -r -x .stfolder "$work/one-files" "$work/two-files"
