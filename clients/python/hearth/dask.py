"""A Dask cluster on the pool, for programs written for dask.distributed:

    from dask.distributed import Client
    from hearth.dask import HearthCluster

    with HearthCluster(4, cores=2) as cluster, Client(cluster) as client:
        print(client.submit(sum, [1, 2, 3]).result())

It is a gang: the scheduler and one worker run on each of its computers, all of them begin at once, in a network of their own
(`hearth cluster dask`), and this program reaches the scheduler through the hub. If a computer is lost, all of it begins
anew, and what was computed is lost with it. dask.distributed must be installed where it runs as well, in the same version.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from distributed.core import rpc
from distributed.deploy.cluster import Cluster

from hearth import _trees
from hearth._access import access_for
from hearth._session import Session, blob
from hearth._tunnel import Forward
from hearth.errors import HearthError
from hearth.pool import bytes_of

_LAUNCHER = "cluster_launcher.py"
_PORT = 8786  # as in the launcher
_PAUSE_SECONDS = 0.3
_OVER = ("JOB_STATE_SUCCEEDED", "JOB_STATE_FAILED", "JOB_STATE_CANCELLED")


class HearthCluster(Cluster):
    """`n` computers, of which the first has the scheduler and the others a worker each (with n=1: both).

    token, environment, cores, memory, time_limit, inputs, variables
             as Pool's; of each computer. `cores` are its worker's threads
    timeout  how many seconds the pool may take until all of it is there
    """

    _supports_scaling = False

    def __init__(
        self,
        n: int = 3,
        token: str | None = None,
        *,
        environment: str = "",
        cores: int = 1,
        memory: str | int = "1G",
        time_limit: float | None = None,
        inputs: Sequence[str | os.PathLike[str]] = (),
        variables: Mapping[str, str] | None = None,
        timeout: float = 300,
        name: str | None = None,
        asynchronous: bool = False,
        loop: Any = None,
    ) -> None:
        if n < 1:
            raise ValueError(f"n={n}: a cluster has at least one computer")
        self._session = Session(access_for(token))
        self._files = _trees.scan(inputs)
        self._timeout = timeout
        self._job = 0
        self._forward: Forward | None = None
        self._spec = {
            "name": name or "dask",
            "argv": ["/usr/bin/python3", _LAUNCHER, "dask", str(cores), "sleep", "infinity"],
            "tasks": n,
            "gang": True,
            "netGang": True,
            "environment": environment,
            "resources": {"cores": cores, "memoryBytes": str(bytes_of("memory", memory))},
            "variables": dict(variables or {}),
        }
        if time_limit is not None:
            self._spec["timeLimitSeconds"] = str(max(1, round(time_limit)))
        self._workers = max(1, n - 1)
        super().__init__(asynchronous=asynchronous, loop=loop, name=name, quiet=True)
        if not self.asynchronous:
            self._loop_runner.start()
            self.sync(self._start)

    @property
    def job(self) -> int:
        """Its number, as `hearth jobs` lists it."""
        return self._job

    def __await__(self) -> Any:
        async def begun() -> HearthCluster:
            if self.status.name == "created":
                await self._start()
            return self

        return begun().__await__()

    async def _start(self) -> None:
        end = time.monotonic() + self._timeout
        try:
            await asyncio.to_thread(self._submit)
            self._forward = Forward(lambda: self._session.tunnel(self._job, 0, _PORT))
            self.scheduler_comm = rpc(f"tcp://127.0.0.1:{self._forward.port}")
            while not await self._is_complete():
                await asyncio.to_thread(self._require_alive, end)
                await asyncio.sleep(_PAUSE_SECONDS)
            await super()._start()
        except BaseException:
            await self._close()
            raise

    async def _is_complete(self) -> bool:
        assert self.scheduler_comm is not None
        with contextlib.suppress(OSError):
            return len((await self.scheduler_comm.identity())["workers"]) >= self._workers
        return False

    async def _close(self) -> None:
        await super()._close()
        if self._forward is not None:
            await asyncio.to_thread(self._forward.close)
        if self._job:
            with contextlib.suppress(HearthError):
                await asyncio.to_thread(self._session.call, "JobService/Cancel", {"jobId": str(self._job)})
        self._session.close()

    def _submit(self) -> None:
        launcher = Path(__file__).with_name("_cluster_launcher.py").read_bytes()
        digest = hashlib.sha256(launcher).digest()
        entries = [file.entry for file in self._files] + [_trees.TreeFile(_LAUNCHER, digest, len(launcher))]
        tree = _trees.encode(entries)
        tree_digest = hashlib.sha256(tree).digest()
        contents: dict[bytes, Any] = {file.entry.sha256: (lambda at=file.source: at.open("rb")) for file in self._files}
        contents[digest] = lambda: contextlib.nullcontext(launcher)
        contents[tree_digest] = lambda: contextlib.nullcontext(tree)
        self._job = self._session.submit({**self._spec, "inputs": blob(tree_digest, len(tree))}, contents)

    def _require_alive(self, end: float) -> None:
        job = self._session.call("JobService/Get", {"jobId": str(self._job)})["job"]
        if job.get("state") in _OVER:
            why = job.get("firstFailure", {}).get("message") or "it has ended"
            raise HearthError("aborted", f"the cluster did not come up: {why} (job {self._job}; `hearth logs {self._job}`)")
        if time.monotonic() > end:
            why = self._session.call("JobService/Why", {"jobId": str(self._job)}).get("sentence", "it is starting")
            raise HearthError("deadline_exceeded", f"the cluster is not there after {self._timeout:g} s: {why}")
