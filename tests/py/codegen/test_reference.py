"""docs/reference: every public function and every code of an error, and nothing that leads nowhere."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

import psycopg
import pytest

from codegen import error_catalogue, generate, reference
from codegen.ddl import Statement
from tests.py.support.server import CHECKOUT, Database

PUBLIC = ("geomill_client", "geomill_gateway", "geomill_admin", "geomill_worker")


@cache
def page(name: str) -> str:
    return generate.documents()[generate.REFERENCE / name]


def test_every_public_function_stands_in_the_reference_with_its_deployed_arguments(module_database: Database) -> None:
    with module_database.connect() as connection:
        rows = connection.execute(
            """
            SELECT DISTINCT p.pronamespace::regnamespace || '.' || p.proname, p.proargnames[1:p.pronargs]
              FROM pg_proc AS p CROSS JOIN aclexplode(p.proacl) AS a JOIN pg_roles AS r ON r.oid = a.grantee
             WHERE p.pronamespace IN ('app'::regnamespace, 'platform'::regnamespace) AND p.prorettype <> 'trigger'::regtype
               AND r.rolname = ANY (%s)
            """,
            [list(PUBLIC)],
        ).fetchall()
    assert len(rows) > 80
    told = dict(re.findall(r"^### (\S+)\n\n```sql\n(.*?)\nRETURNS", page("functions.md"), re.MULTILINE | re.DOTALL))
    assert {name for name, _ in rows} == set(told)
    for name, arguments in rows:
        for argument in arguments or ():
            assert re.search(rf"\b{argument} ", told[name]), f"{name} has no word about {argument}"


def test_links_of_the_reference_lead_somewhere() -> None:
    text = page("functions.md")
    anchors = {heading.replace(".", "") for heading in re.findall(r"^### (\S+)$", text, re.MULTILINE)}
    for target in re.findall(r"\]\(#([^)]+)\)", text):
        assert target in anchors
    for target in re.findall(r"\]\(([^#)]+)[#)]", text + page("errors.md")):
        assert (generate.REFERENCE / target).resolve().exists()


def codes(kind: str) -> set[str]:
    _, _, rest = page("errors.md").partition(f"## {kind}\n")
    return set(re.findall(r"^\| `(\w+)`", rest.partition("\n## ")[0], re.MULTILINE))


def test_every_code_in_the_templates_is_in_the_catalogue() -> None:
    text = "\n".join(path.read_text() for path in (CHECKOUT / "db" / "functions").rglob("*.j2"))
    assert set(re.findall(r"\.problem\('(\w+)'", text)) - codes("Errors") == set()
    assert set(re.findall(r"\.refuse_over_limit\('(\w+)'", text)) - codes("Errors") == set()
    assert set(re.findall(r"\.warning\('(\w+)'", text)) - codes("Warnings") == set()
    assert {"REQUEST_FAILED", "REQUEST_CANCELLED"} <= codes("Warnings")
    assert {"TOO_SMALL", "TOO_LARGE", "TOO_SHORT", "TOO_LONG"} <= codes("Errors")


def test_every_code_in_the_workers_is_in_the_catalogue() -> None:
    text = "\n".join(path.read_text() for path in (CHECKOUT / "workers").rglob("*.py"))
    named = set(re.findall(r"TaskError\(\s*\"([A-Z_]+)\"", text))
    assert len(named) > 40
    assert named - codes("Errors") == set()


def test_what_a_refusal_says_is_what_the_catalogue_says(module_database: Database) -> None:
    """One that is raised, against its line: code, category, state and remedy."""
    with module_database.connect("ddh") as client, pytest.raises(psycopg.Error) as refusal:
        client.execute("SELECT platform.get_request_status('nothing')")
    line = next(line for line in page("errors.md").splitlines() if line.startswith("| `NO_SUCH_REQUEST`"))
    assert "| user | GM404 |  | there is no request … |" in line
    assert (refusal.value.diag.message_hint or "-") in line


def test_calls_are_taken_apart_as_sql_reads_them(tmp_path: Path) -> None:
    body = """CREATE OR REPLACE FUNCTION app.f() RETURNS void LANGUAGE sql AS $$
    -- app.problem('NOT_THIS', ...) is a comment
    PERFORM app.raise_problems('GM404', app.problem('ONE_THING', 'user', 'x', to_jsonb(left(x, 10)),
        format('it isn''t %L, (really)', x), CASE WHEN y THEN 'do this' ELSE 'or do the other thing' END, true)); $$;"""
    (one,) = error_catalogue.in_sql(Statement("functions", "function", "app.f", body))
    assert (one.code, one.category, one.state, one.retryable) == ("ONE_THING", "user", "GM404", True)
    assert (one.message, one.remediation) == ("it isn't …, (really)", "or do the other thing")
    (tmp_path / "workers").mkdir()
    (tmp_path / "workers" / "some.py").write_text(
        "def refuse(code, said, *, category='data', retryable=True):\n    return TaskError(code, said, category=category)\n"
        "raise refuse('SOME_THING', f'{x} is not {y}')\n"
    )
    (other,) = error_catalogue.in_python(tmp_path / "workers")
    assert (other.code, other.category, other.retryable, other.message) == ("SOME_THING", "data", True, "… is not …")


def test_a_head_is_taken_apart() -> None:
    head = """-- app.f: do it, or
-- leave it.
--
-- Another thought.
--
-- Guarantees  One,
--             and two.
-- Errors      none.
-- SECURITY DEFINER: nobody's business.
CREATE OR REPLACE FUNCTION app.f(x integer)
RETURNS void
LANGUAGE sql
AS $$ $$;
GRANT EXECUTE ON FUNCTION app.f(integer) TO geomill_admin, geomill_worker;"""
    function = reference.read(Statement("functions", "function", "app.f", head))
    assert function.said == ("do it, or leave it.", "Another thought.")
    assert function.labelled == {"Guarantees": "One, and two.", "Errors": "none."}
    assert (function.call, function.returns) == ("app.f(x integer)", "void")
    assert function.callers == ("geomill_admin", "geomill_worker")


@pytest.mark.parametrize("path", sorted((CHECKOUT / "db" / "functions").rglob("*.sql.j2")), ids=lambda path: path.name.split(".")[0])
def test_every_head_says_what_is_guaranteed_and_locked(path: Path) -> None:
    head = path.read_text().partition("CREATE ")[0]
    assert [label for label in ("Guarantees", "Locks") if re.search(rf"^-- {label} +\S", head, re.MULTILINE)] == ["Guarantees", "Locks"]
