"""Structured logs: one JSON object a line on stderr, or something readable where a person is watching.

Every line about a task carries request, job, task, attempt and correlation_id. No line carries a credential.
"""

from __future__ import annotations

import logging
import os
import sys

import structlog
from structlog.typing import EventDict, FilteringBoundLogger, Processor, WrappedLogger

from codegen.messages.tasks import ClaimedTask
from workers.redaction import redact

LEVEL = "GEOMILL_LOG_LEVEL"
_FIRST = ("timestamp", "level", "event")


def configure_logging(worker: str | None = None) -> None:
    """Send structlog's and the standard library's records to stderr, in one form. Called at each process start."""
    level = logging.getLevelNamesMapping().get(os.environ.get(LEVEL, "info").upper(), logging.INFO)
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_credentials,
        _in_order,
    ]
    renderer: Processor = structlog.dev.ConsoleRenderer() if sys.stderr.isatty() else structlog.processors.JSONRenderer(default=repr)
    structlog.configure(
        processors=[*shared, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    logging.basicConfig(level=max(level, logging.WARNING), handlers=[handler], force=True)
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(process_id=os.getpid(), **({"worker": worker} if worker else {}))


def process_log() -> FilteringBoundLogger:
    """The logger of the process itself."""
    logger: FilteringBoundLogger = structlog.get_logger()
    return logger


def task_log(claimed: ClaimedTask) -> FilteringBoundLogger:
    """The logger of one attempt."""
    logger: FilteringBoundLogger = structlog.get_logger(
        request=claimed.platform_request_id,
        job=claimed.job_id,
        job_type=claimed.job_type,
        stage=claimed.stage,
        task=claimed.task_id,
        task_type=claimed.task_type,
        attempt=claimed.attempt,
        correlation_id=claimed.correlation_id,
    )
    return logger


def _without_credentials(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {key: redact(value) if isinstance(value, str) else value for key, value in event.items()}


def _in_order(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    return {**{key: event[key] for key in _FIRST if key in event}, **event}
