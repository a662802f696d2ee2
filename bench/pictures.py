#!/usr/bin/env python3
"""bench/pictures.py [COUNT]    what a small picture of a 12-megapixel one costs, by hearth-pictures as the hub starts it, one after the other;
prints key=value figures, or "SKIPPED pictures: why". BENCH_BUILD: the build (standard: build/release)."""
import array
import os
import shutil
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
HELPER = os.path.join(os.environ.get("BENCH_BUILD", os.path.join(HERE, "..", "build", "release")), "src", "hearth-pictures")
BUBBLE = """--unshare-user --unshare-ipc --unshare-pid --unshare-uts --unshare-cgroup-try --unshare-net --uid 65534 --gid 65534 --ro-bind /usr /usr
--symlink usr/bin /bin --symlink usr/lib /lib --symlink usr/lib64 /lib64 --proc /proc --dev /dev --clearenv --die-with-parent --cap-drop ALL""".split()


def start():
    ours, its = socket.socketpair()
    process = subprocess.Popen(["bwrap", *BUBBLE, "--ro-bind", HELPER, "/hearth-pictures", "/hearth-pictures"], stdin=its)
    its.close()
    return ours, process


def ask(helper, path, size):
    """Its answer, and after how many milliseconds."""
    begun = time.monotonic()
    mine, its = socket.socketpair()
    with open(path, "rb") as picture:
        files = array.array("i", [picture.fileno(), its.fileno()])
        helper.sendmsg([struct.pack("=I", size)], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
    its.close()
    answer = b""
    while piece := mine.recv(1 << 16):
        answer += piece
    mine.close()
    return answer, (time.monotonic() - begun) * 1000


def main():
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    for program in ("bwrap", "ffmpeg"):
        if shutil.which(program) is None:
            return print(f"SKIPPED pictures: {program} is not installed")
    if not os.path.exists(HELPER):
        return print(f"SKIPPED pictures: there is no {HELPER}")
    with tempfile.TemporaryDirectory(prefix="hearth-pictures-") as folder:
        for ending in ("jpg", "png", "webp"):
            path = os.path.join(folder, "photo." + ending)
            make = ["ffmpeg", "-nostdin", "-v", "error", "-f", "lavfi", "-i", "mandelbrot=s=4000x3000:start_scale=0.01", "-frames:v", "1", "-q:v", "2"]
            subprocess.run([*make, path], check=True)
            helper, process = start()
            if not ask(helper, path, 0)[0].startswith(b"picture 4000 3000 "):
                return print("SKIPPED pictures: bubblewrap cannot shut the helper off on this machine")
            for size in (0, 320, 1600):
                times = [ask(helper, path, size)[1] for _ in range(count)]
                print(f"kind={ending} bytes={os.path.getsize(path)} size={size} median_ms={statistics.median(times):.1f} least_ms={min(times):.1f}", flush=True)
            helper.close()
            process.wait()


main()
