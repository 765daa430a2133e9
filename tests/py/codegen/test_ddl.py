"""Every option that a model has becomes DDL that the server runs, and shows again as it was meant."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, LiteralString

import pytest
from psycopg import errors, sql
from pydantic import AwareDatetime, Field

from codegen import ddl, introspect
from codegen.models.base import Check, Column, Index, Policy, Table, TableOptions, table
from codegen.models.clock import now
from codegen.models.enums import DatabaseEnum
from tests.py.support.server import Database


class Colour(DatabaseEnum):
    """It's a colour, with \\ and 100 %."""

    RED = "it's red"


class Root(Table):
    """A root: it's \\ "quoted", 100 %."""

    __table__: ClassVar[TableOptions] = table(
        schema="garden", name="roots", unlogged=True, fillfactor=70, storage={"autovacuum_enabled": "false"}, unique=[("leaf_id", "label")],
        indexes=[
            Index(("label DESC NULLS LAST", "n ASC")),
            Index(("label",), where="label <> 'it''s'", unique=True, name="idx_roots_partial"),
            Index(("lower(label)", "(n + 1) DESC"), name="idx_roots_expression"),
            Index(("doc",), method="gin"),
            Index(("doc jsonb_path_ops",), method="gin", name="idx_roots_paths"),
            Index(("label",), method="hash", name="idx_roots_hash"),
            Index(("made_at",), method="brin", name="idx_roots_brin"),
            Index(("n",), include=("label",), name="idx_roots_include"),
        ],
        checks=[Check("roots_label_and_n_check", "label <> '' OR n > 0")],
        policies=[
            Policy("engine", "geomill_owner", "true"),
            Policy("adding", "geomill_api", "n > 0", command="insert"),
            Policy("seeing", "geomill_api", "n > 0", command="select"),
        ],
        grants={"geomill_api": ("SELECT", "INSERT")},
    )  # fmt: skip

    root_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key: it's \\ 100 %")
    leaf_id: Annotated[int | None, Column(references="garden.leaves", on_delete="set null")] = Field(default=None, description="Leaf")
    label: str = Field(default="it's \\ 100 %", max_length=20, pattern="^[^|]*$", description="Label")
    n: int = Field(default=-5, multiple_of=5, description="Number")
    doubled: Annotated[int, Column(generated="n * 2")] = Field(description="Twice the number")
    doc: dict[str, Any] = Field(default_factory=dict, description="Document")
    sizes: Annotated[list[Annotated[float, Field(ge=0)]], Column(array=True)] = Field(
        default_factory=list, max_length=3, description="Sizes"
    )
    colour: Colour = Field(default=Colour.RED, description="Colour")
    made_by: Annotated[str, Column(default="current_user")] = Field(description="Who")
    made_at: AwareDatetime = Field(default_factory=now, description="When")


class Leaf(Table):
    """A leaf, and where it hangs."""

    __table__: ClassVar[TableOptions] = table(schema="garden", name="leaves")

    leaf_id: Annotated[int, Column(primary_key=True)] = Field(description="Key")
    beside: Annotated[int | None, Column(references="garden.leaves", on_delete="cascade")] = Field(default=None, description="Neighbour")
    below: Annotated[int | None, Column(references="garden.leaves", on_delete="restrict", unique=True)] = Field(
        default=None, description="Up"
    )


def make(connection: Any) -> None:
    enums = {"garden": {"colour": Colour}}
    made = introspect.tables([Root, Leaf], enums)
    connection.execute(sql.SQL("CREATE SCHEMA garden"))
    steps = [ddl.enum(each) for each in introspect.enum_types(enums)]
    for phase in (ddl.table, ddl.foreign_keys, ddl.indexes, ddl.policies, ddl.grants):
        steps += [phase(each) for each in made]
    for statement in (statement for step in steps for statement in step):
        connection.execute(statement.sql.encode())


def test_what_a_model_may_say_the_server_runs_and_shows(module_database: Database) -> None:
    with module_database.connect(autocommit=False) as connection:
        make(connection)
        connection.execute("INSERT INTO garden.leaves (leaf_id) VALUES (1)")
        row = connection.execute(
            "INSERT INTO garden.roots (leaf_id) VALUES (1)"
            " RETURNING root_id, label, n, doubled, doc, sizes, colour::text, made_by, made_at = now()"
        ).fetchone()
        assert row == (1, "it's \\ 100 %", -5, -10, {}, [], "it's red", "postgres", True)
        connection.execute("DELETE FROM garden.leaves")
        assert connection.execute("SELECT leaf_id FROM garden.roots").fetchone() == (None,)
        shown = connection.execute(
            "SELECT obj_description('garden.roots'::regclass), col_description('garden.roots'::regclass, 1),"
            " obj_description('garden.colour'::regtype)"
        ).fetchone()
        assert shown == ('A root: it\'s \\ "quoted", 100 %.', "Key: it's \\ 100 %", "It's a colour, with \\ and 100 %.")
        methods = connection.execute(
            "SELECT array_agg(indexname || ' ' || split_part(split_part(indexdef, ' USING ', 2), ' ', 1) ORDER BY indexname)"
            " FROM pg_indexes WHERE schemaname = 'garden' AND tablename = 'roots'"
        ).fetchone()
        assert methods == (
            [
                "idx_roots_brin brin",
                # GIN over the whole document, and over its paths
                "idx_roots_doc gin",
                "idx_roots_expression btree",
                "idx_roots_hash hash",
                "idx_roots_include btree",
                "idx_roots_label_n btree",
                "idx_roots_partial btree",
                "idx_roots_paths gin",
                "roots_leaf_id_label_key btree",
                "roots_pkey btree",
            ],
        )
        connection.rollback()


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ("(n) VALUES (3)", "roots_n_multiple_check"),
        ("(label) VALUES ('a|b')", "roots_label_check"),
        ("(doc) VALUES ('[]')", "roots_doc_check"),
        ("(sizes) VALUES ('{NULL}')", "roots_sizes_check"),
        ("(sizes) VALUES ('{NaN}')", "roots_sizes_element_check"),
        ("(sizes) VALUES ('{-1}')", "roots_sizes_element_check"),
        ("(sizes) VALUES ('{1,2,3,4}')", "roots_sizes_size_check"),
        ("(label) VALUES ('')", "roots_label_and_n_check"),
        ("(leaf_id) VALUES (7)", "roots_leaf_id_fkey"),
    ],
)
def test_each_constraint_is_called_by_table_and_column(values: LiteralString, constraint: str, module_database: Database) -> None:
    with module_database.connect(autocommit=False) as connection:
        make(connection)
        with pytest.raises(errors.IntegrityError) as refused:
            connection.execute(sql.SQL("INSERT INTO garden.roots {}").format(sql.SQL(values)))
        assert refused.value.diag.constraint_name == constraint
        connection.rollback()
