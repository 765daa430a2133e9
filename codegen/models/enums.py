"""The enums of both schemas, which of their labels are terminal, and which may follow which.

This is the one place that says what "finished" means. Templates, triggers and workers read it from here.
"""

from __future__ import annotations

from enum import StrEnum


class DatabaseEnum(StrEnum):
    """An enum that is a type in the database."""

    @classmethod
    def renamed_labels(cls) -> dict[str, str]:
        """Labels that were called otherwise until now, old to new: rows keep them. Without it a new name is a new label."""
        return {}


class Status(DatabaseEnum):
    """A status: some labels are terminal, and a transition that is not listed is refused by a trigger."""

    @classmethod
    def terminal(cls) -> tuple[Status, ...]:
        """The labels after which nothing moves by itself; only an explicit retry leaves them."""
        return tuple(label for label in cls if label.value in _TERMINAL)

    @classmethod
    def transitions(cls) -> dict[Status, tuple[Status, ...]]:
        """From each label, the labels that may follow."""
        return {cls(old): tuple(cls(new) for new in news) for old, news in _TRANSITIONS[cls.__name__].items()}

    @classmethod
    def hot(cls) -> tuple[tuple[Status, Status], ...]:
        """Transitions so frequent that the trigger's condition names them alone; none: it names every allowed one."""
        return ()


class JobStatus(Status):
    """Where a job stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @classmethod
    def hot(cls) -> tuple[tuple[Status, Status], ...]:
        """What every job does that goes well."""
        return ((cls.PENDING, cls.PROCESSING), (cls.PROCESSING, cls.COMPLETED))


class StageStatus(Status):
    """Where a stage of a job stands."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @classmethod
    def hot(cls) -> tuple[tuple[Status, Status], ...]:
        """What every stage does that goes well."""
        return ((cls.PENDING, cls.PROCESSING), (cls.PROCESSING, cls.COMPLETED))


class TaskStatus(Status):
    """Where a task stands; a retry waiting for its time is pending with a later run_at."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"
    CANCELLED = "cancelled"

    @classmethod
    def hot(cls) -> tuple[tuple[Status, Status], ...]:
        """What every task does."""
        return ((cls.PENDING, cls.PROCESSING), (cls.PROCESSING, cls.COMPLETED))


class RequestStatus(Status):
    """Where a client's request stands, in its current revision."""

    PENDING = "pending"
    PROCESSING = "processing"
    COMPLETED = "completed"
    COMPLETED_WITH_ERRORS = "completed_with_errors"
    FAILED = "failed"
    CANCELLED = "cancelled"
    UNPUBLISHED = "unpublished"


class DeliveryStatus(Status):
    """How the call that is owed to a client went."""

    PENDING = "pending"
    SENT = "sent"
    FAILED = "failed"
    DEAD = "dead"

    @classmethod
    def terminal(cls) -> tuple[Status, ...]:
        """A failed call is tried again; what is given up is dead."""
        return (cls.SENT, cls.DEAD)


class WorkerStatus(Status):
    """Whether a worker process works, has ended by itself, or was declared dead."""

    ALIVE = "alive"
    STOPPED = "stopped"
    DEAD = "dead"


class FanOut(DatabaseEnum):
    """How many tasks a stage has, and what each is about."""

    SINGLE = "single"
    COUNT = "count"
    EACH = "each"
    MATCH_PREVIOUS = "match_previous"


class FailurePolicy(DatabaseEnum):
    """What a task that failed for good means to its job."""

    FAIL_JOB = "fail_job"
    CONTINUE = "continue"


class RequestType(DatabaseEnum):
    """What a client asks for."""

    VECTOR = "vector"
    RASTER = "raster"
    COLLECTION = "collection"
    H3_STATISTICS = "h3_statistics"


_TERMINAL = {
    "completed",
    "completed_with_errors",
    "failed",
    "skipped",
    "cancelled",
    "unpublished",
    "sent",
    "dead",
    "stopped",
}

_WORK = {
    "pending": ("processing", "completed", "completed_with_errors", "failed", "cancelled"),
    "processing": ("completed", "completed_with_errors", "failed", "cancelled"),
    # An explicit retry is the only way back.
    "failed": ("processing",),
    "cancelled": ("processing",),
    "completed_with_errors": ("processing",),
}

_TRANSITIONS: dict[str, dict[str, tuple[str, ...]]] = {
    "JobStatus": _WORK,
    "StageStatus": _WORK,
    "TaskStatus": {
        "pending": ("processing", "failed", "skipped", "cancelled"),
        "processing": ("pending", "completed", "failed", "skipped", "cancelled"),
        "failed": ("pending",),
        "cancelled": ("pending",),
    },
    "RequestStatus": {
        # A new revision of a finished request starts again at pending.
        "pending": ("processing", "completed", "completed_with_errors", "failed", "cancelled"),
        "processing": ("pending", "completed", "completed_with_errors", "failed", "cancelled"),
        "completed": ("pending", "processing", "unpublished"),
        "completed_with_errors": ("pending", "processing", "unpublished"),
        "failed": ("pending", "processing", "unpublished"),
        "cancelled": ("pending", "processing", "unpublished"),
        "unpublished": ("pending", "processing"),
    },
    "DeliveryStatus": {
        "pending": ("sent", "failed", "dead"),
        "failed": ("sent", "failed", "dead", "pending"),
        # Sent once more: by an operator, or because the request ended again.
        "sent": ("pending",),
        "dead": ("pending",),
    },
    "WorkerStatus": {"alive": ("stopped", "dead")},
}

ENUMS: dict[str, dict[str, type[StrEnum]]] = {
    "app": {
        "job_status": JobStatus,
        "stage_status": StageStatus,
        "task_status": TaskStatus,
        "worker_status": WorkerStatus,
        "fan_out": FanOut,
        "failure_policy": FailurePolicy,
    },
    "platform": {
        "request_status": RequestStatus,
        "request_type": RequestType,
        "delivery_status": DeliveryStatus,
    },
}
