"""consistency_check: `python -m workers.consistency` as a job, for a schedule."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from codegen.messages.consistency import ConsistencyParameters
from workers import consistency
from workers.connections import short_connection
from workers.context import Task
from workers.registry import handles

_MOST_TOLD = 1000


@handles("consistency_check", ConsistencyParameters)
def check(task: Task[ConsistencyParameters]) -> dict[str, Any]:
    """Say what does not agree, and mend it where that was asked for. Safe to repeat: an attempt that was lost has mended a part."""
    with short_connection() as connection:
        found, nobodys = consistency.find(connection, task.storage, task.check)
        if task.parameters.repair:
            found = consistency.repair(connection, task.storage, found, nobodys, task.check)
    counts = Counter(one.kind for one in found)
    (task.log.warning if found else task.log.info)("consistency checked", found=dict(counts), repair=task.parameters.repair)
    return {
        "found": dict(counts),
        "repaired": sum(one.repaired for one in found),
        "findings": [asdict(one) for one in found[:_MOST_TOLD]],
    }
