#!/usr/bin/env bash
# tests/packages/build_test.sh PROGRAM: an environment of Debian packages, from this PC's own package sources, and a
# program in it. Needs a mirror; minutes on a slow PC. Exit code 0 done, 77 skipped (standard error says why), 1 failed.
set -euo pipefail
hearth=$(realpath "$1")
home=$(mktemp -d)
trap '"$hearth" --home "$home" down >/dev/null 2>&1 || true; rm -rf "$home"' EXIT
cd "$home"
mkdir -p lists/partial cache/archives/partial

if ! apt-get update -qq -o Dir::State::lists="$home/lists" -o Dir::Cache="$home/cache" -o APT::Update::Error-Mode=any \
    -o APT::Sandbox::User=root >"$home/update" 2>&1; then
  echo "SKIPPED: this PC's package sources cannot be reached:" >&2
  tail -n 3 "$home/update" >&2
  exit 77
fi
"$hearth" --home "$home" up --port 0 --address 127.0.0.1 --no-invite >/dev/null
"$hearth" --home "$home" env build py --packages python3
said=$("$hearth" --home "$home" run --env py -- python3 -c 'import http, sys; print("python in its own root", sys.version_info[0])')
[ "$said" = "python in its own root 3" ] || { echo "FAILED: the program said: $said" >&2; exit 1; }
if "$hearth" --home "$home" run --env py -- ffmpeg -version >/dev/null 2>&1; then
  echo "FAILED: a program of the host is seen" >&2
  exit 1
fi
echo "done: $("$hearth" --home "$home" env list | tail -n 1)"
