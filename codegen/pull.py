"""The other way round: what the models would have to say for a database that somebody changed by hand.

Each difference becomes lines to paste: a field, a table's options, a class, a label. What no model can say is said as well.
Nothing is written, in the database or in a file.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import psycopg

from codegen import catalog, generate, shadow, sources
from codegen.catalog import Catalog
from codegen.ddl import Statement
from codegen.desired import Desired, ours
from codegen.refusal import RefusedError
from codegen.sources import Edit
from codegen.suggestions import Answer, Work
from codegen.version import CHECKOUT

# What may be copied to see what changed models would generate.
_SOURCES = ("codegen", "db/functions")


def pull(connection: psycopg.Connection[Any]) -> Answer:
    """How the models would have to change for this database. Changes nothing."""
    with connection.transaction(force_rollback=True):
        shadow.lock(connection)
        live = catalog.read(connection, generate.SCHEMAS)
        answer = suggest(live, shadow.wanted(connection, ours()))
        wanted = shadow.wanted(connection, Desired(generate.SCHEMAS, generated(answer.edits)))
        answer.remaining = catalog.notable(catalog.differences(live, wanted), live, wanted)
    return answer


def suggest(live: Catalog, wanted: Catalog) -> Answer:
    """The edits that bring what is wanted to what is there."""
    return Work(live, wanted).answer()


def generated(edits: Iterable[Edit]) -> tuple[Statement, ...]:
    """What would be generated with these edits made: in a copy of the sources, by a process of its own."""
    with tempfile.TemporaryDirectory(prefix="geomill-pull-") as folder:
        copy = Path(folder)
        for source in _SOURCES:
            shutil.copytree(CHECKOUT / source, copy / source, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(CHECKOUT / "pyproject.toml", copy)
        made = list(edits)
        for file in {edit.file for edit in made}:
            path = copy / file.relative_to(CHECKOUT)
            path.write_text(sources.applied(path.read_text(), (edit for edit in made if edit.file == file)))
        done = subprocess.run([sys.executable, "-m", "codegen.pull"], cwd=copy, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RefusedError("the models with these edits", done.stderr.strip().splitlines()[-1], "make the edits by hand, one by one")
        return tuple(Statement(**each) for each in json.loads(done.stdout))


def listing(answer: Answer) -> Iterator[str]:
    """For people: file and place, then the lines."""
    place = None
    for edit in answer.edits:
        here = f"{edit.file.relative_to(CHECKOUT)}, {edit.where}"
        if here != place:
            yield f"{here}:"
        place = here
        yield from (f"  {line}" for line in str(edit).splitlines())
    if answer.unsaid:
        yield "not in the models:"
        yield from (f"  {line}" for line in answer.unsaid)
    if answer.remaining:
        yield "with these edits, a deploy would still change:"
        yield from (f"  {difference}" for difference in answer.remaining)


if __name__ == "__main__":
    json.dump([vars(statement) for statement in generate.statements()], sys.stdout)
