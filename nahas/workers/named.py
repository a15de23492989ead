"""Which workers a user asks for."""

from __future__ import annotations

from dataclasses import dataclass

from nahas.errors import UsageError
from nahas.workers.pool import RETRIES, Pool


@dataclass(frozen=True, kw_only=True)
class Workers:
    """Where what takes long is done.

    Attributes:
        processes: of this machine; of a Ray cluster that is started here, its CPUs.
        ray: address of a Ray cluster, 'local' to start one here; None uses processes.
        cpus: cores of a task; None is its share of this machine's, on a cluster 1.
        gpus: of a task, on a cluster.
        time_limit_s: after which a task is killed; None is none.
        retries: how often a task is given to another worker after one was lost.

    Raises:
        UsageError: naming the field, its value and what is allowed.
    """

    processes: int | None = None
    ray: str | None = None
    cpus: int | None = None
    gpus: float = 0.0
    time_limit_s: float | None = None
    retries: int = RETRIES

    def __post_init__(self) -> None:
        limit = self.time_limit_s
        rules = {
            "processes": (self.processes is None or self.processes >= 1, "at least 1"),
            "cpus": (self.cpus is None or self.cpus >= 1, "at least 1"),
            "gpus": (self.gpus >= 0, "0 or more"),
            "time_limit_s": (limit is None or limit > 0, "above 0"),
            "retries": (self.retries >= 0, "0 or more"),
        }
        for name, (kept, allowed) in rules.items():
            if not kept:
                raise UsageError(
                    f"workers: {name} is {getattr(self, name)}, but it must be {allowed}"
                )
        if self.gpus and self.ray is None:
            raise UsageError(
                f"workers: gpus is {self.gpus:g}, but only a Ray cluster shares GPUs out: add "
                "--ray local, or leave --child-gpus out"
            )

    def open(self) -> Pool:
        """Workers that wait for tasks; close them.

        Raises:
            UsageError: when Ray is asked for and not installed.
            WorkerError: when there is no cluster at the address.
        """
        if self.ray is None:
            from nahas.workers.processes import Processes

            return Processes(
                self.processes or 1,
                threads=self.cpus,
                time_limit_s=self.time_limit_s,
                retries=self.retries,
            )
        from nahas.workers.cluster import Cluster

        return Cluster(
            self.ray,
            cpus=self.cpus or 1,
            gpus=self.gpus,
            time_limit_s=self.time_limit_s,
            retries=self.retries,
            workers=self.processes,
        )
