"""A rebuild that is killed at the step that its argument names, as by a machine that goes down; for test_rebuild."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any, NoReturn

from codegen import deploy, pgstac, rebuild, republish, wipe
from codegen.connection import resolve_dsn


def die(*_: Any, **__: Any) -> NoReturn:
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def after(function: Callable[..., Any]) -> Callable[..., NoReturn]:
    """The function, and then death."""

    def run(*arguments: Any, **named: Any) -> NoReturn:
        function(*arguments, **named)
        die()

    return run


def pypgstac_begins(dsn: str) -> NoReturn:
    """The migration is begun by a process that outlives this one."""
    from psycopg.pq import Conninfo

    settings = {option.envvar.decode(): option.val.decode() for option in Conninfo.parse(dsn.encode()) if option.envvar and option.val}
    command = [sys.executable, "-m", "pypgstac.pypgstac", "migrate", "--toversion", pgstac.WANTED_VERSION]
    with subprocess.Popen(command, env=os.environ | settings, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL):
        die()


STEPS: dict[str, tuple[Any, str, Callable[..., Any]]] = {
    "before the wipe commits": (wipe, "_record", after(wipe._record)),
    "after the wipe": (deploy, "deploy", die),
    "while pypgstac runs": (pgstac, "_run_pypgstac", pypgstac_begins),
    "after pgstac": (pgstac, "migrate", after(pgstac.migrate)),
    "before the catalogue commits": (rebuild, "republish", die),
    "after the catalogue": (rebuild, "republish", after(republish.republish)),
    "before the end": (rebuild, "_end", die),
}

if __name__ == "__main__":
    module, name, instead = STEPS[sys.argv[1]]
    setattr(module, name, instead)
    rebuild.rebuild("rebuild", resolve_dsn("superuser"), rebuild.Asked(confirmed=True, with_cron=False), print)
