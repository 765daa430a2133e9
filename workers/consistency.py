"""Whether requests, tables, items and files agree; `python -m workers.consistency` says it, and with --repair mends it.

The database compares what it knows of (platform.disagreements); files are compared here, for only a worker sees them. They
are listed first and judged afterwards by what is shown then, so that what is published meanwhile is never taken for nobody's.
What a job works on is left alone. Repairing takes away what is nobody's and publishes again what is kept; what readers were
shown and is gone can only be made anew, by retrying its request.

Exit codes: 0 all agree, or what did not has been mended · 1 something does not agree · 2 could not look.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import unquote, urlsplit

import psycopg

from workers.connections import open_connection
from workers.errors import ConfigurationError, in_short
from workers.startup import check_database, check_storage
from workers.storage import Storage, Stored
from workers.vector import publish

KEY_PARTS = 4
"""client, request, revision and name."""

_OURS = re.compile(r"^[^/]+/(?P<request>[0-9a-f]{32})/r[0-9]+/[^/]+$")


@dataclass(frozen=True)
class Finding:
    """One disagreement."""

    kind: str
    subject: str
    request_id: str | None
    detail: str
    repaired: bool = False


def key_of_href(href: str) -> str:
    """The key of a file, under whatever URL the storage was known when it was published."""
    return "/".join(unquote(urlsplit(href).path).split("/")[-KEY_PARTS:])


def find(connection: psycopg.Connection[Any], storage: Storage, check: Callable[[], None]) -> tuple[list[Finding], dict[str, Stored]]:
    """Everything that does not agree; and the files among it that are nobody's, by their names."""
    files = {}
    for stored in storage.listed(""):
        check()
        if _OURS.match(stored.name):
            files[stored.name] = stored
    found = [Finding(*row) for row in connection.execute("SELECT kind, subject, request_id, detail FROM platform.disagreements()")]
    # In one statement, and so at one moment: a request that is no longer busy shows what it published.
    [(rows, busy_ids)] = connection.execute(
        """
        SELECT (SELECT coalesce(jsonb_agg(jsonb_build_array(f.request_id, f.href, f.size)), '[]') FROM platform.shown_files() AS f),
               ARRAY(SELECT b.request_id FROM platform.busy_requests() AS b (request_id))
        """
    ).fetchall()
    busy = set(busy_ids)
    shown = {key_of_href(href): (request_id, size) for request_id, href, size in rows}
    for key, (request_id, size) in sorted(shown.items()):
        if request_id in busy:
            continue
        # What was published while we listed is asked for by its name.
        there = files.get(key) or storage.found(key)
        if there is None:
            found.append(Finding("file_lost", key, request_id, "readers are shown it, and it is not there; retry the request"))
        elif size is not None and there.size != size:
            found.append(Finding("file_changed", key, request_id, f"{there.size} bytes instead of {size}; retry the request"))
    nobodys = {
        name: stored
        for name, stored in files.items()
        if _request_of(name) not in busy and name not in shown and name.removesuffix(".aux.xml") not in shown
    }
    found += [Finding("file_of_nobody", name, _request_of(name), "no item and no request shows it") for name in sorted(nobodys)]
    return found, nobodys


def repair(
    connection: psycopg.Connection[Any],
    storage: Storage,
    found: Sequence[Finding],
    nobodys: Mapping[str, Stored],
    check: Callable[[], None],
) -> list[Finding]:
    """Mend what can be mended; the same findings, saying which were."""
    mended: set[tuple[str, str]] = set()
    with connection.transaction():
        mended |= {(kind, subject) for kind, subject in connection.execute("SELECT kind, subject FROM platform.mend_catalogue()")}
    tables = {one.subject.removeprefix("geo.") for one in found if one.kind == "table_of_nobody"}
    with connection.transaction():
        mended |= {("table_of_nobody", f"geo.{name}") for name in publish.drop_unshown(connection, tables, check)}
    # Judged again: what was just published from what is kept shows files too.
    still = {one.subject for one in find(connection, storage, check)[0] if one.kind == "file_of_nobody"}
    for name, stored in nobodys.items():
        check()
        if name in still:
            storage.remove(stored)
            mended.add(("file_of_nobody", name))
    return [replace(one, repaired=(one.kind, one.subject) in mended) for one in found]


def _request_of(name: str) -> str:
    return name.split("/")[1]


def main(arguments: Sequence[str] | None = None) -> int:
    """Look, mend where it was asked for, and say what was found."""
    parser = argparse.ArgumentParser(prog="python -m workers.consistency", description="Do requests, tables, items and files agree?")
    parser.add_argument("--repair", action="store_true", help="mend what can be mended")
    asked = parser.parse_args(arguments)
    try:
        storage = check_storage()
        check_database()
        with open_connection("consistency") as connection:
            found, nobodys = find(connection, storage, lambda: None)
            if asked.repair:
                found = repair(connection, storage, found, nobodys, lambda: None)
    except (ConfigurationError, psycopg.Error) as error:
        sys.stderr.write(f"cannot look: {in_short(error) if isinstance(error, psycopg.Error) else error}\n")
        return 2
    for one in found:
        sys.stdout.write(f"{'mended ' if one.repaired else ''}{one.kind} {one.subject}: {one.detail}\n")
    left = sum(not one.repaired for one in found)
    sys.stdout.write(f"{len(found)} disagreements, {len(found) - left} mended {dict(Counter(one.kind for one in found)) or ''}\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
