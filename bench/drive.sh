#!/usr/bin/env bash
# bench/drive.sh [MEBIBYTES [FILES [ROUNDS]]]: what a large file (1024 MiB) and many of 4 KiB (10000), each way over TLS by
# one connection of curl, and the small ones by eight as well, cost the drive, and nginx, Apache and rclone with WebDAV, as
# far as they are installed, in turn on the same disk, round for round (1), each into a new folder. One line each: server,
# seconds that the server's processes computed, and seconds that passed; after several rounds the medians, and the least
# and the most. The drive alone syncs what it acknowledges to the disk. BENCH_BUILD: a release build; BENCH_BEFORE: another
# program of hearth, to compare with; TMPDIR: where.
set -euo pipefail
mebibytes=${1:-1024}
files=${2:-10000}
rounds=${3:-1}
here=$(cd "$(dirname "$0")" && pwd)
hearth=$(realpath "${BENCH_BUILD:-$here/../build/release}")/src/hearth
before=${BENCH_BEFORE:-}
work=$(mktemp -d "${TMPDIR:-/tmp}/hearth-drive-bench.XXXXXX")
finish() {
  for server in "${nginx:-}" "${apache:-}" "${rclone:-}"; do [ -z "$server" ] || kill "$server" 2>/dev/null || true; done
  for home in "$work"/home*; do "$hearth" down --home "$home" >/dev/null 2>&1 || true; done
  rm -rf "$work"
}
trap finish EXIT
chmod 755 "$work"

head -c "${mebibytes}M" /dev/urandom >"$work/large"
mkdir "$work/small"
head -c $((files * 4096)) /dev/urandom | split -b 4096 -a 6 -d - "$work/small/f"

mkdir "$work/nginx" "$work/nginx/site" "$work/nginx/site/dav"
servers=()
token=none
start_drive() { # name program
  local home=$work/home-$1
  mkdir "$home"
  "$2" up --home "$home" --address 127.0.0.1 --port 0 --no-invite >/dev/null 2>&1
  servers+=("$1 $(pgrep -f "daemon hub --home $home") $(sed -nE 's/.*hub listens .*port=([0-9]+).*/\1/p' "$home/log" |
    head -n 1) $("$2" token new bench --home "$home" 2>/dev/null | head -n 1)")
}
start_drive drive "$hearth"
[ -z "$before" ] || start_drive before "$before"

openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/nginx/key" -out "$work/nginx/cert" \
  -days 2 -subj /CN=127.0.0.1 2>/dev/null
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
if command -v nginx >/dev/null; then
  nginx_port=$(free_port)
  cat >"$work/nginx/conf" <<CONF
daemon off; worker_processes 1; pid $work/nginx/pid; error_log $work/nginx/log; user root;
events { worker_connections 64; }
http {
  access_log off; sendfile on; client_max_body_size 0; keepalive_requests 1000000;
  client_body_temp_path $work/nginx/site/new;
  server {
    listen 127.0.0.1:$nginx_port ssl; ssl_certificate $work/nginx/cert; ssl_certificate_key $work/nginx/key;
    root $work/nginx/site;
    location / { dav_methods PUT DELETE MKCOL COPY MOVE; create_full_put_path on; }
  }
}
CONF
  nginx -c "$work/nginx/conf" &
  nginx=$!
  servers+=("nginx $nginx $nginx_port")
fi
if command -v apache2 >/dev/null; then
  apache_port=$(free_port)
  mkdir -p "$work/apache/dav"
  chown -R www-data "$work/apache" 2>/dev/null || true
  cat >"$work/apache.conf" <<CONF
ServerRoot /usr/lib/apache2
ServerName 127.0.0.1
Listen 127.0.0.1:$apache_port
PidFile $work/apache.pid
ErrorLog $work/apache.log
User www-data
Group www-data
MaxKeepAliveRequests 0
LoadModule mpm_event_module modules/mod_mpm_event.so
LoadModule authz_core_module modules/mod_authz_core.so
LoadModule dav_module modules/mod_dav.so
LoadModule dav_fs_module modules/mod_dav_fs.so
LoadModule ssl_module modules/mod_ssl.so
DAVLockDB $work/apache/locks
DocumentRoot $work/apache
SSLEngine on
SSLCertificateFile $work/nginx/cert
SSLCertificateKeyFile $work/nginx/key
<Directory $work/apache>
  Dav On
  Require all granted
</Directory>
CONF
  apache2 -f "$work/apache.conf" -DFOREGROUND &
  apache=$!
  servers+=("apache $apache $apache_port")
fi
if command -v rclone >/dev/null; then
  rclone_port=$(free_port)
  mkdir -p "$work/rclone/dav"
  rclone serve webdav "$work/rclone" --addr "127.0.0.1:$rclone_port" --cert "$work/nginx/cert" --key "$work/nginx/key" \
    --config /dev/null --vfs-cache-mode off 2>/dev/null &
  rclone=$!
  servers+=("rclone $rclone $rclone_port")
fi
sleep 2

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
    'BEGIN { printf "%-8s %-10s computed=%.2f passed=%.2f\n", n, f, a - b, e - s }' | tee -a "$work/figures"
}
fetch() { curl -sS --no-progress-meter -k -f -u "me:$token" "$@"; }
lines() { # put|get base options...: the small files
  local what=$1 base=$2
  shift 2
  for file in "$work"/small/f*; do
    if [ "$what" = put ]; then
      printf 'upload-file = "%s"\nurl = "%s%s"\noutput = "/dev/null"\n' "$file" "$base" "${file##*/}"
    else
      printf 'url = "%s%s"\noutput = "/dev/null"\n' "$base" "${file##*/}"
    fi
  done >"$work/lines"
  fetch "$@" -K "$work/lines"
}
for ((round = 1; round <= rounds; ++round)); do
  for server in "${servers[@]}"; do
    read -r name pid at token <<<"$server"
    : "${token:=none}"
    base=https://127.0.0.1:$at/dav/$round/
    for folder in "$base" "${base}eight/"; do fetch -o /dev/null -X MKCOL "$folder"; done
    measure "$name" "$pid" put-large fetch -o /dev/null -T "$work/large" "${base}large"
    measure "$name" "$pid" get-large fetch -o /dev/null "${base}large"
    measure "$name" "$pid" put-small lines put "$base"
    measure "$name" "$pid" get-small lines get "$base"
    measure "$name" "$pid" put-eight lines put "${base}eight/" -Z --parallel-max 8
    measure "$name" "$pid" get-eight lines get "${base}eight/" -Z --parallel-max 8
  done
done
[ "$rounds" -gt 1 ] || exit 0
python3 - "$work/figures" <<'MEDIANS'
import re, statistics, sys
figures = {}
for line in open(sys.argv[1]):
    name, figure, computed, passed = re.match(r"(\S+) +(\S+) +computed=(\S+) passed=(\S+)", line).groups()
    figures.setdefault((figure, name), []).append((float(computed), float(passed)))
for (figure, name), rounds in figures.items():
    told = [f"{what} {statistics.median(v):.2f} ({min(v):.2f} to {max(v):.2f})"
            for what, v in zip(("computed", "passed"), zip(*rounds))]
    print(f"{figure:10} {name:8} {', '.join(told)}")
MEDIANS
