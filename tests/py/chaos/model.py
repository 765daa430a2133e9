"""The engine in a few hundred lines of Python, without a database: what its SQL is compared with.

Time is a whole number of seconds that only moves when it is moved. Where the engine has a choice (which of the due retries a
claim takes, how long exactly a retry waits), the model takes over what the engine chose, if it was allowed to.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

OPEN = ("pending", "processing")
SILENT = 60
POINT_OF_PRIORITY = 600
UNKNOWN = float("inf")
"""When a retry is due is the engine's choice; until it is learned, not now."""

FanOut = Literal["count", "single", "match_previous", "never"]


@dataclass(frozen=True)
class StageType:
    """A stage of a workflow."""

    fan_out: FanOut
    task_type: str = "dig"
    max_attempts: int = 2
    backoff: int = 8
    tolerant: bool = False
    most_failed: float = 1.0
    max_runtime: int = 300

    def as_json(self) -> dict[str, Any]:
        """As tests.given_workflow takes it."""
        return {
            "fan_out": "single" if self.fan_out == "never" else self.fan_out,
            "path": "$.n" if self.fan_out == "count" else None,
            "condition": "$.parameters.n < 0" if self.fan_out == "never" else None,
            "task_type": self.task_type,
            "max_attempts": self.max_attempts,
            "backoff_seconds": self.backoff,
            "failure_policy": "continue" if self.tolerant else "fail_job",
            "max_failed_fraction": self.most_failed,
            "max_runtime_seconds": self.max_runtime,
        }


WORKFLOWS: dict[str, tuple[StageType, ...]] = {
    "strict": (StageType("count"), StageType("never"), StageType("single", "fill", max_attempts=1)),
    "lenient": (
        StageType("count", "dig", tolerant=True, most_failed=0.5),
        StageType("match_previous", "fill", tolerant=True, max_runtime=30),
        StageType("single", max_attempts=3),
    ),
}


@dataclass(eq=False)
class Task:
    stage: Stage
    index: int
    status: str = "pending"
    attempt: int = 0
    forgiven: int = 0
    run_at: float | None = None
    started: int = 0
    task_id: int = 0

    @property
    def is_open(self) -> bool:
        return self.status in OPEN


@dataclass(eq=False)
class Stage:
    job: Job
    number: int
    type: StageType
    rank: tuple[int, int]
    status: str = "pending"
    tasks: list[Task] = field(default_factory=list)


@dataclass(eq=False)
class Job:
    job_id: str
    workflow: str
    n: int
    priority: int
    status: str = "pending"
    stages: list[Stage] = field(default_factory=list)

    @property
    def is_open(self) -> bool:
        return self.status in OPEN

    @property
    def last(self) -> Stage:
        return self.stages[-1]


@dataclass(eq=False)
class Worker:
    name: str
    status: str = "alive"
    last_beat: int = 0
    holding: list[tuple[Task, int]] = field(default_factory=list)

    def running(self) -> list[Task]:
        """What it really has."""
        return [task for task, attempt in self.holding if task.status == "processing" and task.attempt == attempt]


class RefusedError(Exception):
    """What the engine would refuse with GM409."""


class Model:
    """All jobs, all workers, and the time."""

    def __init__(self, now: int) -> None:
        self.now = now
        self.jobs: dict[str, Job] = {}
        self.workers: dict[str, Worker] = {}
        self.paused: set[str] = set()
        self._made = 0
        self.delayed: list[Task] = []

    @property
    def tasks(self) -> Iterable[Task]:
        return (task for job in self.jobs.values() for stage in job.stages for task in stage.tasks)

    # Jobs

    def submit(self, job_id: str, workflow: str, n: int, priority: int) -> None:
        if job_id not in self.jobs:
            job = self.jobs[job_id] = Job(job_id, workflow, n, priority)
            self._open_next(job, 0)

    def cancel(self, job: Job) -> str:
        self._finish_job(job, "cancelled")
        return job.status

    def retry_job(self, job: Job) -> int:
        reopened = self._reopen(job.last, job.last.tasks) if job.status in ("failed", "cancelled") else 0
        if not reopened:
            raise RefusedError
        return reopened

    def redrive(self, task: Task) -> None:
        job = task.stage.job
        if task.stage is not job.last or job.status == "completed" or task.status not in ("failed", "cancelled"):
            raise RefusedError
        self._reopen(task.stage, [one for one in task.stage.tasks if one is task or one.status == "cancelled"])

    def _reopen(self, stage: Stage, tasks: Sequence[Task]) -> int:
        reopened = [task for task in tasks if task.status in ("failed", "cancelled")]
        for task in reopened:
            task.status, task.run_at, task.forgiven = "pending", self.now, task.attempt
        if reopened:
            stage.status = "processing"
            if not stage.job.is_open:
                stage.job.status = "processing"
        return len(reopened)

    def _open_next(self, job: Job, after: int) -> None:
        types = WORKFLOWS[job.workflow]
        for number in range(after + 1, len(types) + 1):
            kind = types[number - 1]
            self._made += 1
            stage = Stage(job, number, kind, (self.now - job.priority * POINT_OF_PRIORITY, self._made))
            before = job.stages[-1].tasks if job.stages else []
            indices = {
                "count": list(range(job.n)),
                "single": [0],
                "match_previous": [task.index for task in before if task.status == "completed"],
                "never": [],
            }[kind.fan_out]
            stage.tasks = [Task(stage, index) for index in indices]
            job.stages.append(stage)
            if stage.tasks:
                return
            stage.status = "completed"
        self._finish_job(job, None)

    def _finish_job(self, job: Job, status: str | None) -> None:
        if not job.is_open:
            return
        if status is None:
            status = "completed_with_errors" if any(stage.status == "completed_with_errors" for stage in job.stages) else "completed"
        for stage in job.stages:
            if stage.status in OPEN:
                stage.status = "cancelled" if status == "cancelled" else "failed"
            for task in stage.tasks:
                if task.is_open:
                    task.status = "cancelled"
        job.status = status

    def _finish_stage(self, stage: Stage) -> None:
        completed = sum(task.status == "completed" for task in stage.tasks)
        failed = sum(task.status == "failed" for task in stage.tasks)
        most = stage.type.most_failed * len(stage.tasks) if stage.type.tolerant else 0
        if failed == 0:
            stage.status = "completed"
        elif completed == 0 or failed > most:
            stage.status = "failed"
            self._finish_job(stage.job, "failed")
            return
        else:
            stage.status = "completed_with_errors"
        self._open_next(stage.job, stage.number)

    def settle(self, ended: Sequence[Task]) -> bool:
        """What became of the stages of tasks that have just ended; whether one of them did."""
        for task in ended:
            if task.status == "failed" and not task.stage.type.tolerant:
                self._finish_job(task.stage.job, "failed")
        advanced = False
        for stage in dict.fromkeys(task.stage for task in ended):
            if stage.status in OPEN and not any(task.is_open for task in stage.tasks):
                self._finish_stage(stage)
                advanced = True
        return advanced

    # Attempts

    def is_current(self, task: Task, attempt: int) -> bool:
        return task.status == "processing" and task.attempt == attempt

    def complete(self, task: Task, attempt: int) -> tuple[bool, bool]:
        """task_updated, is_last_task_in_stage."""
        if not self.is_current(task, attempt):
            return False, False
        task.status = "completed"
        return True, self.settle([task])

    def may_retry(self, task: Task) -> bool:
        return task.attempt - task.forgiven < task.stage.type.max_attempts

    def _give_up(self, task: Task, retryable: bool) -> bool:
        """Whether that was its last attempt."""
        if retryable and self.may_retry(task):
            task.status, task.run_at = "pending", UNKNOWN
            self.delayed.append(task)
            return False
        task.status = "failed"
        return True

    def allowed_delay(self, task: Task) -> tuple[float, float]:
        counted = task.attempt - task.forgiven
        delay = min(60, task.stage.type.backoff * 2 ** (counted - 1))
        return self.now + delay * 0.75, self.now + delay * 1.25

    def fail(self, task: Task, attempt: int, retryable: bool) -> tuple[bool, bool, str]:
        """task_updated, will_retry, job_status."""
        if not self.is_current(task, attempt):
            return False, False, task.stage.job.status
        final = self._give_up(task, retryable)
        if final:
            self.settle([task])
        return True, not final, task.stage.job.status

    # Workers

    def claim(self, types: Sequence[str], most: int) -> tuple[list[Task], int, list[Task]]:
        """What may be claimed now: due retries, how many of them are taken, and exactly which fresh tasks."""
        wanted = [task for task in self.tasks if task.status == "pending" and task.stage.type.task_type in types and
                  task.stage.type.task_type not in self.paused]  # fmt: skip
        due = [task for task in wanted if task.run_at is not None and task.run_at <= self.now]
        fresh = sorted((task for task in wanted if task.run_at is None), key=lambda task: (task.stage.rank, task.index))
        retries = min(most, len(due))
        return due, retries, fresh[: most - retries]

    def report(self, finished: Sequence[tuple[Task, int, bool | None]]) -> list[Task]:
        """A turn's first half: (task, attempt, error is retryable; None for a result). The tasks that ended."""
        ended = []
        for task, attempt, retryable in finished:
            if retryable is None and self.is_current(task, attempt):
                task.status = "completed"
                ended.append(task)
        for task, attempt, retryable in finished:
            if retryable is not None and self.is_current(task, attempt) and self._give_up(task, retryable):
                ended.append(task)
        return ended

    def take(self, taken: Sequence[Task]) -> None:
        for task in taken:
            task.status, task.run_at, task.started = "processing", None, self.now
            task.attempt += 1

    def hold(self, worker: Worker, taken: Sequence[Task]) -> None:
        """A turn's second half, after the stages have settled."""
        worker.holding = [(task, task.attempt) for task in worker.running()] + [(task, task.attempt) for task in taken]
        worker.last_beat = self.now
        for task in taken:
            if task.stage.status == "pending":
                task.stage.status = "processing"
                if task.stage.job.status == "pending":
                    task.stage.job.status = "processing"

    def release(self, worker: Worker) -> int:
        if worker.status != "alive":
            return 0
        released = worker.running()
        for task in released:
            task.status, task.run_at = "pending", self.now
            task.forgiven += 1
        worker.holding, worker.last_beat = [], self.now
        return len(released)

    def heartbeat(self, worker: Worker) -> set[tuple[int, int, str]]:
        """What it has lost."""
        if worker.status == "alive":
            worker.last_beat = self.now
        return {
            (task.task_id, attempt, "cancelled" if task.attempt == attempt and task.status == "cancelled" else "lost")
            for task, attempt in worker.holding
            if task.attempt != attempt or task.status in ("pending", "cancelled", "skipped")
        }

    def janitor(self) -> None:
        for worker in self.workers.values():
            if worker.status == "alive" and worker.last_beat < self.now - SILENT:
                worker.status = "dead"
        dead = [worker for worker in self.workers.values() if worker.status == "dead"]
        self._reclaim([task for worker in dead for task in worker.running()])
        alive = [worker for worker in self.workers.values() if worker.status == "alive"]
        self._reclaim([task for worker in alive for task in worker.running() if task.started + task.stage.type.max_runtime < self.now])

    def _reclaim(self, tasks: Sequence[Task]) -> None:
        failed = [task for task in sorted(tasks, key=lambda task: task.task_id) if self._give_up(task, retryable=True)]
        self.settle(failed)
