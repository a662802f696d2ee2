#!/usr/bin/env bash
# bench/drive.sh [MEBIBYTES [FILES]]: what a large file (1024 MiB) and many of 4 KiB (10000), each way over TLS by one
# connection of curl, cost the drive and nginx with its WebDAV module, in turn on the same disk. One line each: server,
# seconds that the server's processes computed, and seconds that passed. BENCH_BUILD: a release build; TMPDIR: where.
set -euo pipefail
mebibytes=${1:-1024}
files=${2:-10000}
here=$(cd "$(dirname "$0")" && pwd)
hearth=$(realpath "${BENCH_BUILD:-$here/../build/release}")/src/hearth
work=$(mktemp -d "${TMPDIR:-/tmp}/hearth-drive-bench.XXXXXX")
finish() {
  [ -z "${nginx:-}" ] || kill "$nginx" 2>/dev/null || true
  "$hearth" down --home "$work/home" >/dev/null 2>&1 || true
  rm -rf "$work"
}
trap finish EXIT
chmod 755 "$work"

head -c "${mebibytes}M" /dev/urandom >"$work/large"
mkdir "$work/small"
head -c $((files * 4096)) /dev/urandom | split -b 4096 -a 6 -d - "$work/small/f"

mkdir "$work/home" "$work/nginx" "$work/nginx/site" "$work/nginx/site/dav"
"$hearth" up --home "$work/home" --address 127.0.0.1 --port 0 --no-invite >/dev/null 2>&1
hub=$(pgrep -f "daemon hub --home $work/home")
port=$(sed -nE 's/.*hub listens .*port=([0-9]+).*/\1/p' "$work/home/log" | head -n 1)
token=$("$hearth" token new bench --home "$work/home" 2>/dev/null | head -n 1)

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/nginx/key" -out "$work/nginx/cert" \
  -days 2 -subj /CN=127.0.0.1 2>/dev/null
peer_port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$work/nginx/conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx/pid; error_log $work/nginx/log; user root;
events { worker_connections 64; }
http {
  access_log off; sendfile on; client_max_body_size 0; keepalive_requests 1000000;
  client_body_temp_path $work/nginx/site/new;
  server {
    listen 127.0.0.1:$peer_port ssl; ssl_certificate $work/nginx/cert; ssl_certificate_key $work/nginx/key;
    root $work/nginx/site;
    location / { dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; }
  }
}
CONF
nginx -c "$work/nginx/conf" &
nginx=$!
sleep 1

computed() { # seconds of a process and its children
  local sum=0 pid
  for pid in "$1" $(pgrep -P "$1" || true); do
    sum=$((sum + $(awk '{ sub(/.*\) /, ""); print $12 + $13 }' "/proc/$pid/stat")))
  done
  awk -v t="$sum" -v h="$(getconf CLK_TCK)" 'BEGIN { printf "%.2f", t / h }'
}
measure() { # server process-id figure command...
  local name=$1 pid=$2 figure=$3 before began
  shift 3
  before=$(computed "$pid")
  began=$(date +%s.%N)
  "$@"
  awk -v n="$name" -v f="$figure" -v b="$before" -v a="$(computed "$pid")" -v s="$began" -v e="$(date +%s.%N)" \
    'BEGIN { printf "%-8s %-10s computed=%.2f passed=%.2f\n", n, f, a - b, e - s }'
}
fetch() { curl -sS -k -f -u "me:$token" "$@"; }
lines() { # put|get base: one request after the other on one connection
  for file in "$work"/small/f*; do
    if [ "$1" = put ]; then
      printf 'upload-file = "%s"\nurl = "%s%s"\noutput = "/dev/null"\n' "$file" "$2" "${file##*/}"
    else
      printf 'url = "%s%s"\noutput = "/dev/null"\n' "$2" "${file##*/}"
    fi
  done >"$work/lines"
  fetch -K "$work/lines"
}
for server in "drive $hub $port" "nginx $nginx $peer_port"; do
  read -r name pid at <<<"$server"
  base=https://127.0.0.1:$at/dav/
  measure "$name" "$pid" put-large fetch -T "$work/large" "${base}large"
  measure "$name" "$pid" get-large fetch -o /dev/null "${base}large"
  measure "$name" "$pid" put-small lines put "$base"
  measure "$name" "$pid" get-small lines get "$base"
done
