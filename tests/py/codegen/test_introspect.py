"""A model becomes a table, or the build stops with the model, the field and a remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from codegen import introspect
from codegen.models import ENUMS, TABLES
from codegen.models.base import Column, Index, Policy, Table, TableOptions, table
from codegen.models.clock import now
from codegen.models.enums import DatabaseEnum, JobStatus, TaskStatus
from codegen.refusal import RefusedError


def key() -> Any:
    return Field(description="Key")


class Thing(Table):
    """A thing."""

    __table__: ClassVar[TableOptions] = table(
        schema="app", name="things", unique=[("owner", "label")], fillfactor=70, storage={"autovacuum_enabled": "false"},
        indexes=[Index(("label DESC",), where="label <> ''")],
    )  # fmt: skip

    thing_id: Annotated[int, Column(primary_key=True, identity=True)] = Field(ge=1, lt=2**63, description="Key")
    owner: Annotated[str, Column(references="app.jobs", on_delete="cascade")] = Field(max_length=64, description="Its job")
    label: str = Field(default="it's", max_length=10, description="Label")
    status: JobStatus = Field(default=JobStatus.PENDING, description="Where it stands")
    tags: list[Any] = Field(default_factory=list, description="Tags")
    notes: dict[str, Any] = Field(default_factory=dict, description="Notes")
    double: Annotated[int, Column(generated="thing_id * 2")] = Field(description="Twice the key")
    made_by: Annotated[str, Column(default="current_user")] = Field(description="Who")
    seen_at: AwareDatetime | None = Field(default=None, description="Seen at")
    created_at: AwareDatetime = Field(default_factory=now, description="Made at")


def made(model: type[Table]) -> Any:
    return introspect.tables([*TABLES, model], ENUMS)[-1]


def test_a_field_reads_like_the_column_it_becomes() -> None:
    columns = {column.name: column for column in made(Thing).columns}
    defaults = {name: column.default.as_string(None) for name, column in columns.items() if column.default}
    assert defaults == {
        "label": "'it''s'",
        "status": "'pending'::app.job_status",
        "tags": "'[]'::jsonb",
        "notes": "'{}'::jsonb",
        "made_by": "current_user",
        "created_at": "now()",
    }
    assert columns["double"].generated.as_string(None) == "thing_id * 2"
    assert [name for name, column in columns.items() if column.nullable] == ["seen_at"]
    assert made(Thing).comment == "A thing."
    assert made(Thing).storage == (("fillfactor", "70"), ("autovacuum_enabled", "false"))


def test_foreign_keys_statuses_and_timestamps_get_an_index_unless_another_starts_with_them() -> None:
    assert [name for name, _ in made(Thing).indexes] == [
        "idx_things_label",
        # owner leads the unique key
        "idx_things_status",
        "idx_things_seen_at",
        "idx_things_created_at",
    ]


def test_only_these_indexes_ends_the_strategy() -> None:
    tasks = next(found for found in introspect.tables(TABLES, ENUMS) if found.name == "tasks")
    assert [name for name, _ in tasks.indexes] == ["idx_tasks_fresh", "idx_tasks_due"]


def undocumented() -> type[Table]:
    class Silent(Table):
        __table__: ClassVar[TableOptions] = table(schema="app", name="silent")
        silent_id: Annotated[int, Column(primary_key=True)] = key()

    return Silent


def no_description() -> type[Table]:
    class Terse(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="terse")
        terse_id: Annotated[int, Column(primary_key=True)]

    return Terse


def no_key() -> type[Table]:
    class Keyless(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="keyless")
        n: int = key()

    return Keyless


def odd_factory() -> type[Table]:
    class Odd(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="odd")
        odd_id: Annotated[int, Column(primary_key=True)] = key()
        made: str = Field(default_factory=lambda: "x", description="Made")

    return Odd


def validator() -> type[Table]:
    class Careful(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="careful")
        careful_id: Annotated[int, Column(primary_key=True)] = key()

        @field_validator("careful_id")
        @classmethod
        def even(cls, value: int) -> int:
            return value

    return Careful


def reserved() -> type[Table]:
    class Reserved(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="reserved")
        reserved_id: Annotated[int, Column(primary_key=True)] = key()
        order: int = key()

    return Reserved


def elsewhere() -> type[Table]:
    class Elsewhere(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="platform", name="elsewhere")
        job_id: Annotated[str, Column(primary_key=True, references="app.jobs")] = Field(max_length=64, description="Key")

    return Elsewhere


def long_name() -> type[Table]:
    class Long(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="a" * 50)
        a_rather_long_column: Annotated[int, Column(primary_key=True)] = Field(ge=1, description="Key")

    return Long


def expression_without_name() -> type[Table]:
    class Indexed(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="indexed", indexes=[Index(("lower(label)",))])
        label: Annotated[str, Column(primary_key=True)] = key()

    return Indexed


def blind_grant() -> type[Table]:
    class Blind(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(
            schema="app", name="blind", policies=[Policy("engine", "geomill_owner", "true")], grants={"geomill_admin": ("SELECT",)}
        )
        blind_id: Annotated[int, Column(primary_key=True)] = key()

    return Blind


def lax() -> type[Table]:
    class Lax(Table):
        """A table."""

        model_config = ConfigDict(strict=False)
        __table__: ClassVar[TableOptions] = table(schema="app", name="lax")
        lax_id: Annotated[int, Column(primary_key=True)] = key()

    return Lax


def renamed_from_what_is_there() -> type[Table]:
    class Renamed(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="renamed")
        renamed_id: Annotated[int, Column(primary_key=True)] = key()
        label: Annotated[str, Column(renamed_from="renamed_id")] = key()

    return Renamed


def renamed_from_one_twice() -> type[Table]:
    class Twice(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="twice")
        twice_id: Annotated[int, Column(primary_key=True, renamed_from="old")] = key()
        label: Annotated[str, Column(renamed_from="old")] = key()

    return Twice


def table_renamed_from_what_is_there() -> type[Table]:
    class Taken(Table):
        """A table."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="taken", renamed_from="jobs")
        taken_id: Annotated[int, Column(primary_key=True)] = key()

    return Taken


@pytest.mark.parametrize(
    ("model", "where", "why"),
    [
        (renamed_from_what_is_there, "Renamed", "still in use"),
        (renamed_from_one_twice, "Twice", "two things"),
        (table_renamed_from_what_is_there, "schema app", "still in use"),
        (undocumented, "Silent", "docstring"),
        (no_description, "Terse.terse_id", "description"),
        (no_key, "Keyless", "primary key"),
        (odd_factory, "Odd.made", "SQL cannot make the default"),
        (validator, "Careful", "validator"),
        (reserved, "order", "reserved word"),
        (elsewhere, "Elsewhere.job_id", "schemas have lives of their own"),
        (long_name, "a" * 50, "longer than 63 bytes"),
        (expression_without_name, "Indexed", "Index\\(name=...\\)"),
        (blind_grant, "Blind", "no policy lets it see a row"),
        (lax, "Lax", "not strict"),
    ],
)
def test_what_cannot_be_carried_over_is_refused(model: Callable[[], type[Table]], where: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why) as refused:
        made(model())
    assert refused.value.where.startswith(where)
    assert refused.value.remedy


def test_what_is_renamed_carries_its_old_name() -> None:
    class Widget(Table):
        """A widget."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="widgets", renamed_from="gadgets")
        widget_id: Annotated[int, Column(primary_key=True, renamed_from="gadget_id")] = key()
        label: str = Field(description="Label")

    it = made(Widget)
    assert it.renamed_from == "gadgets"
    assert [column.renamed_from for column in it.columns] == ["gadget_id", None]


def test_a_renamed_label_names_one_that_is_gone_and_one_that_is_there() -> None:
    class Colour(DatabaseEnum):
        RED = "red"
        GREEN = "green"

        @classmethod
        def renamed_labels(cls) -> dict[str, str]:
            return {"crimson": "red"}

    class Wrong(DatabaseEnum):
        RED = "red"
        GREEN = "green"

        @classmethod
        def renamed_labels(cls) -> dict[str, str]:
            return {"green": "red"}

    assert introspect.enum_types({"app": {"colour": Colour}})[0].renamed == (("crimson", "red"),)
    with pytest.raises(RefusedError, match="Wrong: a label cannot be renamed"):
        introspect.enum_types({"app": {"colour": Wrong}})


def test_an_enum_says_its_labels_in_order() -> None:
    types = {(made.schema, made.name): made.labels for made in introspect.enum_types(ENUMS)}
    assert types["app", "task_status"] == tuple(label.value for label in TaskStatus)


def test_a_model_with_a_validator_is_refused_before_its_fields() -> None:
    class Message(BaseModel):
        n: int

        @field_validator("n")
        @classmethod
        def even(cls, value: int) -> int:
            return value

    with pytest.raises(RefusedError, match="even"):
        introspect.refuse_validators(Message)
