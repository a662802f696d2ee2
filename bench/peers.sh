#!/usr/bin/env bash
# bench/peers.sh install          install the peers from Debian (root)
# bench/peers.sh NAME [COUNT]     run one peer once; prints key=value figures, or "SKIPPED NAME: why"
# Servers are started by hand on loopback ports and ended with the script; nothing is left running.
set -euo pipefail
export LC_ALL=C

work=$(mktemp -d "${TMPDIR:-/tmp}/hearth-peer.XXXXXX")
started=()
made_run_sshd=
finish() {
  for process in "${started[@]}"; do kill "$process" 2>/dev/null || true; done
  for process in "${started[@]}"; do wait "$process" 2>/dev/null || true; done
  [ -z "$made_run_sshd" ] || rmdir /run/sshd
  rm -rf "$work"
}
trap finish EXIT

skip() { echo "SKIPPED $1: $2"; exit 0; }
need() {  # NAME PROGRAM...
  local name=$1 program
  shift
  for program in "$@"; do command -v "$program" >/dev/null || skip "$name" "$program is not installed"; done
}
now() { date +%s.%N; }
rate() { awk -v n="$1" -v a="$2" -v b="$3" 'BEGIN { printf "%.1f", n / (b - a) }'; }
free_port() { /usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
wait_for_port() {
  for _ in $(seq 200); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done
  skip "$name" "its server did not listen"
}
cpu_of() {  # user and system seconds of the processes
  local ticks
  ticks=$(getconf CLK_TCK)
  for process in "$@"; do sed 's/.*) //' "/proc/$process/stat"; done |
    awk -v ticks="$ticks" '{ sum += $12 + $13 } END { printf "%.2f", sum / ticks }'
}

peer_install() {
  apt-get install -y --no-install-recommends parallel python3-distributed python3-celery python3-redis redis-server \
    gearman-job-server libgearman-dev munge slurm-wlm nginx-light wrk curl openssl openssh-client openssh-server \
    tigervnc-standalone-server novnc websockify x11vnc xpra mesa-utils
}

# --- processes ---

peer_xargs() {
  need xargs xargs
  local count=${1:-500} before
  before=$(now)
  seq "$count" | xargs -P2 -I{} /bin/true
  echo "xargs_true_per_second=$(rate "$count" "$before" "$(now)")"
}

peer_parallel() {
  need parallel parallel
  local count=${1:-500} before
  before=$(now)
  seq "$count" | parallel -j2 /bin/true '#'
  echo "parallel_true_per_second=$(rate "$count" "$before" "$(now)")"
}

# A Slurm of one node, as quick as its manual's chapter on high throughput makes it (no accounting, cgroups or delays). Needs root, and SlurmUser is root.
# It looks for the next tasks about once a second, so with as many slots as cores it would start two a second: it is told of 64.
start_slurm() {
  export PATH=$PATH:/usr/sbin:/sbin SLURM_CONF=$work/slurm.conf
  need "$name" munged slurmctld slurmd sbatch srun
  [ "$(id -u)" = 0 ] || skip "$name" "Slurm's daemons need root"
  local host controller node
  host=$(hostname -s) controller=$(free_port) node=$(free_port)
  mkdir "$work/state" "$work/spool"
  head -c 128 /dev/urandom >"$work/munge.key"
  chmod 400 "$work/munge.key"
  # --force: the directory above is one that others may write to
  munged --foreground --force --key-file="$work/munge.key" --socket="$work/munge.socket" --pid-file="$work/munge.pid" \
    --log-file="$work/munge.log" --seed-file="$work/munge.seed" 2>/dev/null &
  started+=($!)
  for _ in $(seq 100); do [ -S "$work/munge.socket" ] && break; sleep 0.05; done
  cat >"$work/slurm.conf" <<CONF
ClusterName=bench
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=$controller
SlurmdPort=$node
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket=$work/munge.socket
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
ProctrackType=proctrack/pgid
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
JobCompType=jobcomp/filetxt
JobCompLoc=$work/ended
MpiDefault=none
ReturnToService=2
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,default_queue_depth=10000
MaxArraySize=100001
MaxJobCount=200000
SlurmctldDebug=error
SlurmdDebug=error
SlurmdParameters=config_overrides
NodeName=$host NodeAddr=127.0.0.1 CPUs=64 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
  slurmctld -D -f "$work/slurm.conf" >"$work/slurmctld.log" 2>&1 &
  started+=($!)
  wait_for_port "$controller"
  slurmd -D -f "$work/slurm.conf" >"$work/slurmd.log" 2>&1 &
  started+=($!)
  for _ in $(seq 200); do
    [ "$(sinfo -h -o %T 2>/dev/null)" != idle ] || return 0
    sleep 0.1
  done
  skip "$name" "its node did not come: $(cat "$work/slurmd.log" "$work/slurmctld.log" | tail -n 1)"
}

# An array's task is a batch script of its own. Ended tasks are lines of a file, so that asking costs nothing.
peer_slurm() {
  local count=${1:-500} before
  start_slurm
  before=$(now)
  sbatch --quiet --array="1-$count" --output=/dev/null --wrap=/bin/true
  for _ in $(seq 3000); do
    [ "$(cat "$work/ended" 2>/dev/null | wc -l)" -lt "$count" ] || break
    sleep 0.1
  done
  [ "$(grep -c 'JobState=COMPLETED' "$work/ended")" = "$count" ] || skip slurm "not all tasks ended well in 300 s"
  echo "slurm_true_per_second=$(rate "$count" "$before" "$(now)")"
}

# --- submit to start: COUNT commands one after the other; each prints when it ran, on the clock of this machine ---

percentiles() {  # PREFIX: of the milliseconds on stdin
  sort -g | awk -v p="$1" '{ v[NR] = $1 } END {
    printf "%s_p50_ms=%.2f %s_p99_ms=%.2f\n", p, v[int((NR - 1) * 0.5 + 1.5)], p, v[int((NR - 1) * 0.99 + 1.5)] }'
}
starts() {  # COUNT COMMAND...
  local count=$1 before
  shift
  for _ in $(seq "$count"); do
    before=$(date +%s%N)
    "$@" date +%s%N | awk -v a="$before" '{ printf "%.3f\n", ($1 - a) / 1e6 }'
  done
}

peer_ssh() {
  local sshd port
  sshd=$(command -v sshd || echo /usr/sbin/sshd)
  need ssh ssh ssh-keygen "$sshd"
  port=$(free_port)
  ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
  ssh-keygen -q -t ed25519 -N '' -f "$work/key"
  cp "$work/key.pub" "$work/authorized_keys"
  cat >"$work/sshd_config" <<CONF
ListenAddress 127.0.0.1
Port $port
HostKey $work/host_key
AuthorizedKeysFile $work/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
PidFile none
CONF
  if [ "$(id -u)" -eq 0 ] && mkdir /run/sshd 2>/dev/null; then made_run_sshd=1; fi
  "$sshd" -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
  started+=($!)
  wait_for_port "$port"
  local command=(ssh -F none -p "$port" -i "$work/key" -o IdentitiesOnly=yes -o BatchMode=yes
    -o StrictHostKeyChecking=accept-new -o UserKnownHostsFile="$work/known_hosts" -o LogLevel=ERROR 127.0.0.1)
  "${command[@]}" true 2>"$work/log" || skip ssh "$(tail -n 1 "$work/log")"
  starts "${1:-100}" "${command[@]}" | percentiles ssh_start
}

peer_srun() {
  start_slurm
  srun --ntasks=1 true 2>"$work/log" || skip srun "$(tail -n 1 "$work/log")"
  starts "${1:-100}" srun --ntasks=1 | percentiles srun_start
}

# --- no-op tasks ---

peer_dask() {
  [ -x /usr/bin/python3 ] && /usr/bin/python3 -c 'import distributed' 2>/dev/null ||
    skip dask "python3-distributed is not installed"
  cat >"$work/dask_no_op.py" <<'PYTHON'
import sys, time
from distributed import Client, LocalCluster

def no_op(i):
    return None

if __name__ == "__main__":
    count = int(sys.argv[1])
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster, Client(cluster) as client:
        client.gather(client.map(no_op, range(-20, 0), pure=False))
        before = time.monotonic()
        client.gather(client.map(no_op, range(count), pure=False))
        print(f"dask_tasks_per_second={count / (time.monotonic() - before):.1f}")
PYTHON
  (cd "$work" && timeout 120 /usr/bin/python3 dask_no_op.py "${1:-2000}" 2>"$work/log") ||
    skip dask "$(tail -n 1 "$work/log")"
}

peer_celery() {
  need celery redis-server
  /usr/bin/python3 -c 'import celery, redis' 2>/dev/null || skip celery "python3-celery or python3-redis is missing"
  local port
  port=$(free_port)
  redis-server --port "$port" --bind 127.0.0.1 --save '' --appendonly no --dir "$work" >/dev/null &
  started+=($!)
  wait_for_port "$port"
  cat >"$work/no_op_tasks.py" <<PYTHON
import sys, time
from celery import Celery, group
app = Celery("no_op_tasks", broker="redis://127.0.0.1:$port/0", backend="redis://127.0.0.1:$port/1")

@app.task
def no_op(i):
    return None

if __name__ == "__main__":
    from no_op_tasks import no_op
    no_op.delay(0).get(timeout=60)
    count = int(sys.argv[1])
    before = time.monotonic()
    group(no_op.s(i) for i in range(count)).apply_async().get(timeout=110)
    print(f"celery_tasks_per_second={count / (time.monotonic() - before):.1f}")
PYTHON
  cd "$work"
  C_FORCE_ROOT=1 /usr/bin/python3 -m celery -A no_op_tasks worker -c 2 -l error >"$work/worker.log" 2>&1 &
  started+=($!)
  timeout 120 /usr/bin/python3 no_op_tasks.py "${1:-1000}" 2>"$work/log" || skip celery "$(tail -n 1 "$work/log")"
  cd /
}

peer_gearman() {
  need gearman gearmand cc
  local port
  cat >"$work/no_op.c" <<'C'
#include <libgearman/gearman.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
static void* no_op(gearman_job_st* job, void* context, size_t* size, gearman_return_t* result) {
  (void)job; (void)context;
  *size = 0;
  *result = GEARMAN_SUCCESS;
  return NULL;
}
static double seconds(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec + now.tv_nsec / 1e9;
}
int main(int argc, char** argv) {
  (void)argc;
  in_port_t port = (in_port_t)atoi(argv[2]);
  if (strcmp(argv[1], "worker") == 0) {
    gearman_worker_st* worker = gearman_worker_create(NULL);
    gearman_worker_add_server(worker, "127.0.0.1", port);
    gearman_worker_add_function(worker, "no_op", 0, no_op, NULL);
    while (gearman_worker_work(worker) == GEARMAN_SUCCESS) {}
    return 0;
  }
  int count = atoi(argv[3]);
  gearman_client_st* client = gearman_client_create(NULL);
  gearman_client_add_server(client, "127.0.0.1", port);
  double before = seconds();
  for (int done = 0; done < count;) {
    gearman_return_t result;
    for (int i = 0; i < 1000 && done < count; ++i, ++done)
      gearman_client_add_task(client, NULL, NULL, "no_op", NULL, NULL, 0, &result);
    if (gearman_client_run_tasks(client) != GEARMAN_SUCCESS) return 1;
    gearman_client_task_free_all(client);
  }
  printf("gearman_tasks_per_second=%.1f\n", count / (seconds() - before));
  return 0;
}
C
  cc -O2 -o "$work/no_op" "$work/no_op.c" -lgearman 2>"$work/log" || skip gearman "libgearman-dev is not installed"
  port=$(free_port)
  gearmand --listen 127.0.0.1 --port "$port" --log-file "$work/gearmand.log" &
  started+=($!)
  wait_for_port "$port"
  for _ in 1 2; do
    "$work/no_op" worker "$port" &
    started+=($!)
  done
  timeout 120 "$work/no_op" client "$port" "${1:-20000}" || skip gearman "its client failed"
}

# --- files: COUNT is the large file's size in MiB; BENCH_SECONDS how long small files are put and got ---

peer_nginx() {
  need nginx nginx wrk curl openssl
  local mebibytes=${1:-1024} port process
  port=$(free_port)
  mkdir "$work/files" "$work/body"
  chmod -R 777 "$work"
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/key.pem" -out "$work/cert.pem" \
    -days 2 -subj /CN=localhost 2>/dev/null
  cat >"$work/nginx.conf" <<CONF
daemon off;
master_process off;
pid $work/nginx.pid;
error_log $work/error.log;
events { worker_connections 64; }
http {
  access_log off;
  sendfile on;
  client_body_temp_path $work/body;
  client_max_body_size 0;
  keepalive_requests 10000000;
  server {
    listen 127.0.0.1:$port ssl;
    ssl_certificate $work/cert.pem;
    ssl_certificate_key $work/key.pem;
    ssl_protocols TLSv1.3;
    root $work/files;
    location / { dav_methods PUT; }
  }
}
CONF
  nginx -p "$work" -c "$work/nginx.conf" -e "$work/error.log" &
  process=$!
  started+=("$process")
  wait_for_port "$port"
  head -c "${mebibytes}M" /dev/urandom >"$work/big"
  nginx_large "$mebibytes" "$port" "$process"
  nginx_small "$port" "$process"
}

per_gib() { awk -v a="$1" -v b="$2" -v m="$3" 'BEGIN { printf "%.2f", (b - a) * 1024 / m }'; }

nginx_large() {
  local mebibytes=$1 url="https://127.0.0.1:$2/big" process=$3 cpu wall
  cpu=$(cpu_of "$process") wall=$(now)
  curl -skf -o /dev/null -T "$work/big" "$url"
  echo "nginx_up_cpu_s_per_gib=$(per_gib "$cpu" "$(cpu_of "$process")" "$mebibytes")" \
    "nginx_up_mib_per_s=$(rate "$mebibytes" "$wall" "$(now)")"
  cpu=$(cpu_of "$process") wall=$(now)
  curl -skf -o /dev/null "$url"
  echo "nginx_down_cpu_s_per_gib=$(per_gib "$cpu" "$(cpu_of "$process")" "$mebibytes")" \
    "nginx_down_mib_per_s=$(rate "$mebibytes" "$wall" "$(now)")"
}

# Eight connections that are kept, one client thread; every PUT makes a new file.
nginx_small() {
  local url="https://127.0.0.1:$1" process=$2 method cpu count figures
  cat >"$work/small.lua" <<'LUA'
local number, body = 0, string.rep("x", 4096)
function request()
  number = number + 1
  if os.getenv("METHOD") == "PUT" then return wrk.format("PUT", "/" .. number, nil, body) end
  return wrk.format("GET", "/" .. (number % tonumber(os.getenv("FILES")) + 1))
end
LUA
  local files=1
  for method in PUT GET; do
    cpu=$(cpu_of "$process")
    figures=$(METHOD=$method FILES=$files wrk -t1 -c8 -d"${BENCH_SECONDS:-2}s" -s "$work/small.lua" "$url")
    grep -q 'Non-2xx' <<<"$figures" && skip nginx "$(grep Non-2xx <<<"$figures")"
    count=$(awk '/requests in/ { print $1 }' <<<"$figures")
    awk -v m="${method,,}" -v c="$count" -v a="$cpu" -v b="$(cpu_of "$process")" -v s="$(awk '/Requests.sec/ { print $2 }' <<<"$figures")" \
      'BEGIN { printf "nginx_%s_per_s=%.0f nginx_%s_cpu_us=%.0f\n", m, s, m, (b - a) * 1e6 / c }'
    files=$count
  done
}

name=${1:-}
if ! declare -F "peer_$name" >/dev/null; then
  sed -n '2,4s/^# //p' "$0" >&2
  echo "peers: xargs parallel slurm ssh srun dask celery gearman nginx" >&2
  exit 2
fi
shift
"peer_$name" "$@"
