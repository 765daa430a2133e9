"""docs/schema shows all that is generated, in diagrams that parse and with links that lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, ClassVar

import pytest
from pydantic import Field

from codegen import generate, introspect, schema_docs
from codegen.__main__ import main
from codegen.models import ENUMS, TABLES
from codegen.models.base import Column, Index, Policy, Table, TableOptions, table
from codegen.models.enums import JobStatus, Status
from codegen.refusal import RefusedError

# The part of Mermaid's grammar that the pages keep to; each line of a diagram is one of these.
ENTITY = re.compile(r"""    [a-z_][a-z0-9_]*( \{|\["[a-z_]+\.[a-z0-9_]+"\])""")
ATTRIBUTE = re.compile(r"        [a-z][a-z_]*(\[\])? [a-z_][a-z0-9_]*( (PK|FK|UK)(, (PK|FK|UK))*)?")
RELATION = re.compile(r"    ([a-z_][a-z0-9_]*) (\|\||\|o)(--|\.\.)(o\||o\{) ([a-z_][a-z0-9_]*) : [a-z_][a-z0-9_]*")
TRANSITION = re.compile(r"    (\[\*\]|[a-z_]+) --> (\[\*\]|[a-z_]+)")


class Shelf(Table):
    """A shelf | with a bar."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="shelves", unlogged=True, fillfactor=50,
        indexes=[Index(("label DESC",), where="label <> ''", unique=True, include=("job_id",))], only_these_indexes="it is small",
        policies=[Policy("engine", "geomill_owner", "true")],
    )  # fmt: skip

    shelf_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(description="Key")
    above: Annotated[int | None, Column(references="app.shelves", on_delete="set null")] = Field(default=None, description="The one above")
    job_id: Annotated[str | None, Column(unique=True, refers_to="app.jobs")] = Field(default=None, max_length=64, description="Its job")
    label: str = Field(default="it's", pattern="^(a|i)", description="Label")
    twice: Annotated[int, Column(generated="shelf_id * 2")] = Field(description="Twice the key")


def diagrams(page: str) -> list[list[str]]:
    return [found.splitlines() for found in re.findall(r"```mermaid\n(.*?)```", page, re.DOTALL)]


def pages() -> dict[str, str]:
    return {path.name: content for path, content in generate.documents().items() if path.parent == generate.DOCS}


def shelf() -> dict[str, str]:
    return schema_docs.pages(introspect.tables([*TABLES, Shelf], ENUMS), {"app": {"job_status": JobStatus}}, {"app": []})


def test_every_table_enum_and_function_has_its_place() -> None:
    found = pages()
    for made in introspect.tables(TABLES, ENUMS):
        assert f"\n### {made.name}\n\n{made.comment}\n" in found[f"{made.schema}.md"]
        assert f"({made.schema}.md#{made.name})" in found["README.md"]
    for made_enum in introspect.enum_types(ENUMS):
        assert f"\n### {made_enum.name}\n\n{made_enum.comment}\n" in found[f"{made_enum.schema}.md"]
    for statement in generate.statements():
        if statement.kind == "function":
            (row,) = [line for line in found[f"{statement.schema}.md"].splitlines() if line.startswith(f"| `{statement.name}(")]
            call, returns, does = row.removeprefix("| ").split(" | ")[:3]
            assert "…" not in call
            assert returns
            assert does


def test_diagrams_keep_to_the_grammar_and_name_what_is_there() -> None:
    for page in pages().values():
        for head, *lines in diagrams(page):
            assert head in ("erDiagram", "stateDiagram-v2")
            if head == "stateDiagram-v2":
                assert all(TRANSITION.fullmatch(line) for line in lines)
                continue
            assert all(line == "    }" or any(part.fullmatch(line) for part in (ENTITY, ATTRIBUTE, RELATION)) for line in lines)
            entities = {line.split()[0].split("[")[0] for line in lines if ENTITY.fullmatch(line)}
            related = [found.group(1, 5) for found in map(RELATION.fullmatch, lines) if found]
            assert related
            assert {name for pair in related for name in pair} <= entities


def test_links_lead_somewhere() -> None:
    found = pages()
    headings = {name: {line.lstrip("# ").lower() for line in page.splitlines() if line.startswith("#")} for name, page in found.items()}
    for name, page in found.items():
        for target, anchor in re.findall(r"\]\(([^)#]*)#([^)]+)\)", page):
            assert anchor in headings[target or name]
        for target in re.findall(r"\]\(([^)#]+)\)", page):
            assert (generate.DOCS / target).resolve().exists()


@pytest.mark.parametrize("enum", [enum for types in ENUMS.values() for enum in types.values() if issubclass(enum, Status)])
def test_the_diagram_of_a_status_has_each_transition(enum: type[Status]) -> None:
    lines = set(schema_docs.states(enum))
    assert {f"    {old.value} --> {new.value}" for old, news in enum.transitions().items() for new in news} <= lines
    assert {f"    {label.value} --> [*]" for label in enum.terminal()} <= lines


def test_a_table_shows_what_its_model_says() -> None:
    page = shelf()["app.md"]
    of_shelf = page[page.index("### shelves") : page.index("## Enums")]
    for line in (
        "A shelf | with a bar.",
        "| `shelf_id` | `integer` |  | identity | Key |",
        "| `above` | `integer` | null |  | The one above |",
        "| `job_id` | `varchar(64)` | null |  | Its job (refers to app.jobs) |",
        "| `label` | `text` |  | `'it''s'` | Label |",
        "| `twice` | `integer` |  | generated: `shelf_id * 2` | Twice the key |",
        "- Primary key: `shelf_id`",
        "- Unique: `job_id`",
        "- `above` references [shelves](#shelves) (`shelf_id`); on delete: set null",
        "- Check `shelves_label_check`: `label ~ '^(a|i)'`",
        "- Index `idx_shelves_label`: `unique (label DESC) include (job_id) where label <> ''`",
        "- No further index: it is small.",
        "- Policy `engine`: all by `geomill_owner` where `true`",
        "- Stored with `fillfactor = 50`",
        "- Unlogged: empty after a crash",
    ):
        assert f"{line}\n" in of_shelf


def test_a_reference_without_a_key_is_a_dotted_line() -> None:
    lines = shelf()["README.md"].splitlines()
    assert "    shelves |o--o{ shelves : above" in lines
    assert "    jobs |o..o| shelves : job_id" in lines


def test_what_is_referred_to_exists_and_has_no_key_besides() -> None:
    class Lost(Table):
        """A lost one."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="lost")
        lost_id: Annotated[int, Column(primary_key=True, refers_to="app.nowhere")] = Field(description="Key")

    with pytest.raises(RefusedError, match=r"Lost\.lost_id: it refers to app\.nowhere"):
        introspect.tables([Lost], ENUMS)


def test_a_page_that_is_stale_or_of_nothing_is_found_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "DB", tmp_path / "db")
    monkeypatch.setattr(generate, "DOCS", tmp_path / "docs")
    monkeypatch.setattr("codegen.__main__.CHECKOUT", tmp_path)
    assert main(["docs"]) == 0
    assert sorted(path.name for path in tmp_path.rglob("*.*")) == ["README.md", "app.md", "platform.md"]
    assert main(["generate"]) == 0
    (tmp_path / "docs" / "app.md").write_text("edited by hand")
    (tmp_path / "docs" / "gone.md").write_text("of a schema that is no more")
    capsys.readouterr()
    assert main(["generate", "--check"]) == 1
    assert capsys.readouterr().out.splitlines() == ["stale: docs/app.md", "stale: docs/gone.md"]
    assert main(["generate"]) == 0
    assert main(["generate", "--check"]) == 0
