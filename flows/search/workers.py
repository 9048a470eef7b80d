"""Workers that carry out trials: local processes, a Dask scheduler's, or a batch system's.

All of them read and write the same folders: on several machines, those of a shared file system.
"""

import contextlib
import importlib
import logging
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import distributed

from flows.search.space import Cluster
from hw.foundation.cores import usable_cores
from hw.foundation.errors import InputError, ToolMissing

_PROJECT = Path(__file__).resolve().parents[2]
_LOOPBACK = "127.0.0.1"
_MEMORY_OF_TRIAL = 3 * 2**30  # bytes: a training of half a million modules, or a synthesis
_CONNECT_S = 30.0
_DISK = "4GB"  # HTCondor wants to be told; the results go to the shared folders
_CLASSES = {
    "htcondor": "HTCondorCluster", "lsf": "LSFCluster", "moab": "MoabCluster", "oar": "OARCluster",
    "pbs": "PBSCluster", "sge": "SGECluster", "slurm": "SLURMCluster",
}  # fmt: skip


class Workers:
    """A number of workers, each of which carries out one task at a time.

    Attributes:
        threads: that each task may use; None where that is the workers' own affair.
    """

    def __init__(self, client: distributed.Client, threads: int | None) -> None:
        self._client = client
        self.threads = threads

    @property
    def places(self) -> int:
        """How many tasks they can carry out at once, now; at least 1, for workers yet to come."""
        return max(1, sum(self._client.nthreads().values()))

    def submit(self, task: Callable[..., Any], *arguments: Any, name: str) -> Any:
        """Start a task; its future."""
        return self._client.submit(task, *arguments, key=name, pure=False)

    def forget(self, futures: list[Any]) -> None:
        """Tasks whose results nobody waits for any more."""
        self._client.cancel(futures, force=True)


def finished(futures: list[Any], seconds: float) -> list[Any]:
    """Those of the tasks that are done, waiting for the first at most so long."""
    try:
        done = distributed.wait(futures, timeout=seconds, return_when="FIRST_COMPLETED").done
    except TimeoutError:
        return []
    return [future for future in futures if future in done]


def default_workers() -> int:
    """As many as there are cores, and memory for a trial each."""
    return max(1, min(usable_cores(), _memory() // _MEMORY_OF_TRIAL))


def _memory() -> int:
    import psutil  # of distributed

    return int(psutil.virtual_memory().available)


@contextlib.contextmanager
def workers_of(
    cluster: Cluster | None, scheduler: str | None, count: int | None, logs: Path
) -> Iterator[Workers]:
    """Start the workers, or find them; those that were started end with the block.

    Args:
        cluster: a batch system that starts them.
        scheduler: address of a Dask scheduler that has them; goes before the batch system.
        count: of local processes; None for `default_workers`.
        logs: folder for the output of jobs of a batch system.

    Raises:
        InputError: no scheduler answers.
        ToolMissing: dask-jobqueue is not installed.
    """
    logging.getLogger("distributed").setLevel(logging.ERROR)
    if scheduler:
        with _connected(scheduler) as client:
            yield Workers(client, None)
    elif cluster:
        with _batch_system(cluster, logs) as started, distributed.Client(started) as client:
            print(f"dashboard of the workers: {client.dashboard_link}", flush=True)
            yield Workers(client, cluster.cores)
    else:
        number = count or default_workers()
        with (
            distributed.LocalCluster(
                n_workers=number,
                threads_per_worker=1,
                processes=True,
                host=_LOOPBACK,
                dashboard_address=f"{_LOOPBACK}:0",
                memory_limit=0,  # the stages are processes of their own, which Dask does not see
                silence_logs=logging.CRITICAL,
            ) as local,
            distributed.Client(local) as client,
        ):
            yield Workers(client, max(1, usable_cores() // number))


@contextlib.contextmanager
def _connected(scheduler: str) -> Iterator[distributed.Client]:
    try:
        client = distributed.Client(scheduler, timeout=_CONNECT_S)
    except (OSError, ValueError, TypeError) as error:
        raise InputError(
            f"--scheduler {scheduler}: no Dask scheduler answers ({error}); start one with "
            "`dask scheduler` and workers with `dask worker ADDRESS`"
        ) from error
    with client:
        yield client


def _batch_system(cluster: Cluster, logs: Path) -> Any:
    try:
        jobqueue = importlib.import_module("dask_jobqueue")
    except ImportError as error:
        raise ToolMissing(
            "dask-jobqueue is not installed, and the search space's 'cluster' needs it; install "
            "it with `.venv/bin/pip install dask-jobqueue`"
        ) from error
    options: Mapping[str, Any] = {
        "cores": cluster.cores,
        "processes": 1,
        # one trial at a time in each job: its stages use the job's cores
        "worker_extra_args": ["--nthreads", "1"],
        "memory": cluster.memory,
        "job_script_prologue": [f"cd {_PROJECT}", f"export PYTHONPATH={_PROJECT}"],
        "log_directory": str(logs),
        **({"walltime": cluster.walltime} if cluster.walltime else {}),
        **({"disk": _DISK} if cluster.system == "htcondor" else {}),
        **cluster.options,
    }
    kind = getattr(jobqueue, _CLASSES[cluster.system])
    try:
        started = kind(**options)
    except (TypeError, ValueError) as error:
        raise InputError(f"cluster: {cluster.system} cannot be set up: {error}") from error
    started.scale(jobs=cluster.jobs)
    return started
