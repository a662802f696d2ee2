#!/usr/bin/env bash
# The server by curl alone, in JSON: prove the owner's key, run a job, read its log, be refused without a session.
set -euo pipefail

hearth=$1
root=$(mktemp -d "${TMPDIR:-/tmp}/hearth-e2e-XXXXXX")
export HEARTH_HOME=$root/home
cleanup() {
  status=$?
  if [ "$status" -ne 0 ]; then
    echo "failed; the log:" >&2
    cat "$HEARTH_HOME/log" >&2 || true
  fi
  "$hearth" down 2>/dev/null || true
  rm -rf "$root"
  exit "$status"
}
trap cleanup EXIT
fail() {
  echo "error: $*" >&2
  exit 1
}

"$hearth" up --address 127.0.0.1 --port 0 --no-invite
field() { python3 -c 'import json,sys
value = json.load(sys.stdin)
for name in sys.argv[1].split("."): value = value[int(name)] if name.isdigit() else value[name]
print(value)' "$1"; }
origin=https://127.0.0.1:$(field port <"$HEARTH_HOME/hub/endpoint.json")

# METHOD JSON -> the answer; the status goes to $root/status.
call() {
  curl --silent --show-error --insecure --max-time 60 --output "$root/answer" --write-out '%{http_code}' \
    --header 'Content-Type: application/json' --header 'Connect-Protocol-Version: 1' \
    ${token:+--header "Authorization: Bearer $token"} --data "$2" "$origin/hearth.v1.$1" >"$root/status"
  cat "$root/answer"
}
expect_status() {
  [ "$(cat "$root/status")" = "$1" ] || fail "status $(cat "$root/status") instead of $1: $(cat "$root/answer")"
}

token=
answer=$(call JobService/List '{}')
expect_status 401
[ "$(field code <<<"$answer")" = unauthenticated ] || fail "no session: $answer"

answer=$(call PairingService/Challenge '{}')
expect_status 200
challenge=$(field challenge <<<"$answer")
identity=$(field identityKey <<<"$answer")
[ "$(base64 -d <<<"$identity" | od -An -tx1 | tr -d ' \n')" = "$(field identity <"$HEARTH_HOME/hub/endpoint.json")" ] ||
  fail "another server answers"
{
  printf hearth-session/1
  base64 -d <<<"$identity"
  base64 -d <<<"$challenge"
} >"$root/message"
openssl pkeyutl -sign -rawin -inkey "$HEARTH_HOME/cli/identity.pem" -in "$root/message" -out "$root/signature"
device=$(field device_id <"$HEARTH_HOME/cli/account.json")
answer=$(call PairingService/Prove \
  "{\"deviceId\":\"$device\",\"challenge\":\"$challenge\",\"signature\":\"$(base64 -w0 "$root/signature")\"}")
expect_status 200
token=$(field token <<<"$answer")

answer=$(call JobService/Submit \
  '{"spec":{"argv":["sh","-c","echo by curl; echo 42 > answer"],"outputs":["answer"],"newerField":7},
    "requestId":"'"$(head -c 16 /dev/urandom | base64)"'"}')
expect_status 200
job=$(field jobId <<<"$answer")
for _ in $(seq 300); do
  answer=$(call JobService/Get "{\"jobId\":\"$job\",\"taskLimit\":1}")
  state=$(field job.state <<<"$answer")
  [ "$state" = JOB_STATE_SUCCEEDED ] && break
  [ "$state" != JOB_STATE_FAILED ] || fail "$answer"
  sleep 0.1
done
[ "$state" = JOB_STATE_SUCCEEDED ] || fail "the job does not end: $answer"
log=$(field tasks.0.outcome.log.sha256 <<<"$answer" | base64 -d | od -An -tx1 | tr -d ' \n')
curl --silent --insecure --header "Authorization: Bearer $token" "$origin/blob/$log" | grep -aq 'by curl' ||
  fail "the log is not there"

call JobService/Get '{"jobId":"4711"}' >/dev/null
expect_status 404
call JobService/Get '{"jobId":[]}' >/dev/null
expect_status 400
call JobService/Unknown '{}' >/dev/null
expect_status 404
echo "ok"
