"""docs/ddh.md as a newcomer follows it: every statement of the guide, in psql, as the client and nobody else."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path

from psycopg import sql

from tests.conftest import StartWorkers
from tests.py.support.samples import place
from tests.py.support.server import CHECKOUT, Database

GUIDE = (CHECKOUT / "docs" / "ddh.md").read_text()
BLOCKS = re.findall(r"```sql\n(.*?)```", GUIDE, re.DOTALL)


def psql(database: Database, script: str) -> tuple[str, list[str]]:
    """What psql prints, and the SQLSTATEs of what went wrong; each statement is a transaction of its own."""
    command = ["psql", "--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "VERBOSITY=sqlstate", database.dsn("ddh")]
    done = subprocess.run(command, input=script, text=True, capture_output=True, check=False, timeout=400)
    return done.stdout, re.findall(r"^(?:psql:\S* )?ERROR:\s+(\S+)", done.stderr, re.MULTILINE)


def test_every_statement_of_the_guide(database: Database, source_root: Path, workers: StartWorkers) -> None:
    place("naturalearth_lowres.shp", source_root)
    first, *others = [block.replace("/srv/ddh/", f"{source_root}/") for block in BLOCKS]
    assert len(others) >= 10

    told, refused = psql(database, first)
    assert refused == []
    request_id = told.partition("|")[0]
    assert workers("--processes", "1", "--until-idle").wait() == 0
    asked = sql.SQL("SELECT platform.get_request_status({}); SELECT platform.notification_channel();").format(sql.Literal(request_id))
    told, refused = psql(database, asked.as_string())
    document, _, channel = told.strip().rpartition("\n")
    status = json.loads(document)
    assert (status["status"], status["endpoints"]["table"]) == ("completed", "geo.natural_earth_countries_v1")

    answers = []
    for block in others:
        script = re.sub("<request_id>|<job_id or request_id>", request_id, block)
        script = script.replace("<sha256sum of a file>", "0" * 64).replace("geomill_requests_5f0c…", channel)
        assert not re.search(r"<\w+|…", re.sub("--.*", "", script)), "the guide has a place that nothing is put into"
        told, refused = psql(database, script)
        # What the request in hand is not fit for is refused by name; nothing is a mistake of the guide's.
        assert all(re.fullmatch("GM4\\d\\d", state) for state in refused), f"{refused} of\n{script}"
        answers.append(told)
    everything = "\n".join(answers)
    assert "Brazil|POINT(" in everything
    assert '"natural_earth_countries_v1"' in everything, "the search finds the item"
    assert status["correlation_id"] == "ddh-4711"
