"""`python -m workers`: N worker processes under a supervisor.

Exit codes: 0 drained or idle · 1 a worker could not report its work before it ended · 2 refused to start, nothing was
claimed · 128+n ended at once by a second signal n.
"""

from __future__ import annotations

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence

from workers import native_messages
from workers.errors import ConfigurationError
from workers.logs import configure_logging, process_log
from workers.loop import Loop, Options
from workers.registry import Handler
from workers.startup import check_database, check_storage, check_tasks
from workers.storage import Storage
from workers.supervisor import Supervisor
from workers.waiting import Wake


def main(arguments: Sequence[str] | None = None) -> int:
    """Check, then work until told to stop, or until idle."""
    asked = _parser().parse_args(arguments)
    configure_logging()
    native_messages.install()
    try:
        handlers, task_types = check_tasks(asked.task_types)
        storage = check_storage()
        check_database()
    except ConfigurationError as error:
        process_log().error("cannot start", error=str(error))
        return 2
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    options = Options(task_types, asked.max_batch, asked.until_idle)
    # What has been imported stays: no child's collector goes through it again, nor copies its pages by that.
    gc.collect()
    gc.freeze()
    return Supervisor(_child(options, handlers, storage), asked.processes, restart_when_done=not options.until_idle).run()


def _child(options: Options, handlers: Mapping[str, Handler], storage: Storage) -> Callable[[], int]:
    def run() -> int:
        wake = Wake()
        loop = Loop(options, handlers, storage, wake)
        signal.signal(signal.SIGTERM, lambda _number, _frame: loop.drain())
        signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD))
        return loop.run()

    return run


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m workers", description="Claim tasks, run them, report. SIGTERM drains.")
    parser.add_argument(
        "--processes", type=_at_least_one, default=len(os.sched_getaffinity(0)), metavar="N", help="worker processes (default: one a CPU)"
    )
    parser.add_argument("--task-types", type=_names, metavar="A,B", help="claim these only (default: all that have a handler)")
    parser.add_argument("--until-idle", action="store_true", help="end when nothing is left to do, waiting retries included")
    parser.add_argument("--max-batch", type=_at_least_one, default=50, metavar="N", help="most tasks to claim at once (default: 50)")
    return parser


def _at_least_one(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1000:
        raise argparse.ArgumentTypeError("must be between 1 and 1000")
    return number


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise argparse.ArgumentTypeError("names at least one task type")
    return names


if __name__ == "__main__":
    sys.exit(main())
