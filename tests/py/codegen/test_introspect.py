"""A model becomes a table, or the build stops with the model, the field and a remedy."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Annotated, Any, ClassVar, cast

import pytest
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, computed_field, field_validator

from codegen import introspect
from codegen.models import ENUMS, TABLES
from codegen.models.base import Check, Column, Index, Policy, Table, TableOptions, table
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
    # What may be NULL is indexed where it is not.
    assert dict(made(Thing).indexes)["idx_things_seen_at"].where == "seen_at IS NOT NULL"
    assert dict(made(Thing).indexes)["idx_things_created_at"].where is None


def test_only_these_indexes_ends_the_strategy() -> None:
    tasks = next(found for found in introspect.tables(TABLES, ENUMS) if found.name == "tasks")
    assert [name for name, _ in tasks.indexes] == ["idx_tasks_due"]


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


def model_of(options: TableOptions | None = None, *, bases: tuple[type, ...] = (Table,), **fields: Any) -> Callable[[], type[Table]]:
    """A model `Probe` with a key and these fields, each (annotation, Field) or an annotation alone."""

    def make() -> type[Table]:
        annotations = {"probe_id": Annotated[int, Column(primary_key=True)]}
        body: dict[str, Any] = {"probe_id": key(), "__doc__": "A probe.", "__table__": options or table(schema="app", name="samples")}
        for field, said in fields.items():
            annotations[field], body[field] = said if isinstance(said, tuple) else (said, key())
        return type(
            "Probe", bases, {**body, "__annotations__": {**annotations, "__table__": ClassVar[TableOptions]}, "__module__": __name__}
        )

    return make


def probes(**options: Any) -> TableOptions:
    return table(schema="app", name="samples", **options)


class Sealed(Table):
    """A base that checks more than constraints say."""

    def model_post_init(self, context: Any, /) -> None:
        raise ValueError(context)


class Doubled(Table):
    """A base with a computed field."""

    @computed_field  # type: ignore[prop-decorator]
    @property
    def twice(self) -> int:
        return 2


class Secretive(Table):
    """A base with a private attribute."""

    _secret: int = 0


class Trimming(Table):
    """A base that changes what it is given."""

    model_config = ConfigDict(str_strip_whitespace=True)


def of_a_job() -> Any:
    return Field(max_length=64, description="Job")


@pytest.mark.parametrize(
    ("model", "where", "why"),
    [
        (model_of(ctid=int), "Probe.ctid", "every table of PostgreSQL"),
        (model_of(Upper=int), "Probe: Upper", "no plain SQL name"),
        (model_of(table(schema="app", name="select")), "Probe: app.select", "reserved word"),
        (model_of(n=(int, Field(alias="m", description="N"))), "Probe.n", "alias"),
        (model_of(n=(int, Field(default=5, le=3, description="N"))), "Probe.n", "its own type refuses the default 5"),
        (model_of(n=(int, Field(default=2**40, description="N"))), "Probe.n", "its own type refuses the default"),
        (model_of(n=(int, Field(default=None, description="N"))), "Probe.n", "its default is None"),
        (model_of(n=(list[int], Field(default_factory=list, min_length=1, description="N"))), "Probe.n", "its own type"),
        (model_of(n=(str, Field(default_factory=now, description="N"))), "Probe.n", "its own type refuses the default"),
        (model_of(n=(str, Field(default_factory=list, description="N"))), "Probe.n", "its own type refuses the default"),
        (model_of(n=(date, Field(default=date(2000, 1, 1), description="N"))), "Probe.n", "no SQL literal"),
        (model_of(n=(Annotated[list[int], Column(array=True)], Field(default=[1], description="N"))), "Probe.n", "no SQL literal"),
        (model_of(n=(Annotated[int, Column(generated="1")], Field(default=1, description="N"))), "Probe.n", "generated and from a default"),
        (model_of(n=(Annotated[int, Column(identity=True, default="1")], key())), "Probe.n", "identity and from Column"),
        (model_of(n=(Annotated[int, Column(default="1")], Field(default=1, description="N"))), "Probe.n", "choose one"),
        (model_of(n=Annotated[str, Column(identity=True)]), "Probe.n", "identity that is no int"),
        (model_of(n=Annotated[int | None, Column(identity=True)]), "Probe.n", "identity that is no int"),
        (model_of(n=Annotated[int, Column(unique=True), Column(identity=True)]), "Probe", "on one field"),
        (model_of(n=Annotated[int, Column(on_delete="cascade")]), "Probe.n", "without references"),
        (model_of(n=(Annotated[str, Column(references="app.jobs", on_delete="set null")], of_a_job())), "Probe.n", "set null"),
        (model_of(n=(Annotated[str, Column(references="app.nowhere")], of_a_job())), "Probe.n", "which no model makes"),
        (model_of(n=(Annotated[int, Column(references="app.job_stages")], key())), "Probe.n", "composite"),
        (model_of(n=Annotated[str, Column(references="app.jobs")]), "app.samples.n", "it is text and references"),
        (model_of(n=Annotated[int, Column(references="app.workers")], m=Annotated[int, Column(primary_key=True)]), "Probe", "key, or two"),
        (model_of(n=Annotated[int, Column(primary_key=True, unique=True)]), "Probe", "two"),
        (model_of(probes(unique=[("probe_id", "m")])), "Probe", "'m' that it does not have"),
        (model_of(probes(indexes=[Index(("typo",), name="idx_typo")])), "Probe", "'typo' that it does not have"),
        (model_of(probes(indexes=[Index(("probe_id",), include=("typo",))])), "Probe", "'typo' that it does not have"),
        (model_of(probes(indexes=[Index(())])), "Probe", "an index on nothing"),
        (model_of(probes(indexes=[Index(("probe_id DESC",), method="gin")])), "Probe", "has an order"),
        (model_of(probes(indexes=[Index(("probe_id",), method="hash", unique=True)])), "Probe", "unique"),
        (model_of(probes(indexes=[Index(("probe_id",), method="brin", include=("probe_id",))])), "Probe", "includes columns"),
        (model_of(probes(indexes=[Index(("probe_id",)), Index(("probe_id DESC",))])), "app.samples", "called idx_samples_probe_id"),
        (model_of(probes(indexes=[Index(("probe_id",), name="jobs")])), "app.samples", "so is a table of app.jobs"),
        (model_of(probes(indexes=[Index(("probe_id",), name="job_status")])), "app.samples", "so is the enum JobStatus"),
        (model_of(probes(checks=[Check("samples_n_check", "true")]), n=(int, Field(ge=1, description="N"))), "app.samples", "two con"),
        (model_of(probes(only_these_indexes=" ")), "Probe", "without a reason"),
        (model_of(probes(fillfactor=5)), "Probe", "fillfactor=5"),
        (model_of(probes(storage={"fillfactor": "70); DROP"})), "Probe", "storage parameter"),
        (model_of(probes(grants={"geomill_admin": ("SELECT", "EVERYTHING")})), "Probe", "EVERYTHING"),
        (model_of(probes(grants={"geomill_admin": ()})), "Probe", "nothing"),
        (model_of(table(schema="app", name="jobs")), "Probe", "another model is app.jobs"),
        (model_of(bases=(Sealed,)), "Probe", "model_post_init"),
        (model_of(bases=(Doubled,)), "Probe", "twice is computed"),
        (model_of(bases=(Secretive,)), "Probe", "_secret is private"),
        (model_of(bases=(Trimming,)), "Probe", "not strict and closed"),
    ],
)  # fmt: skip
def test_a_model_that_contradicts_itself_or_the_server_is_refused(model: Callable[[], type[Table]], where: str, why: str) -> None:
    with pytest.raises(RefusedError, match=why) as refused:
        made(model())
    assert refused.value.where.startswith(where)
    assert refused.value.remedy


def test_a_key_may_not_be_none() -> None:
    class Unsure(Table):
        """An unsure one."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="unsure", primary_key=("a", "b"))
        a: int = key()
        b: int | None = key()

    with pytest.raises(RefusedError, match=r"Unsure\.b: a key that may be None"):
        made(Unsure)


def test_references_go_up_and_down_and_to_the_table_itself() -> None:
    class Leaf(Table):
        """A leaf."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="leaves")
        leaf_id: Annotated[int, Column(primary_key=True)] = key()
        branch_id: Annotated[int | None, Column(references="app.branches", on_delete="set null")] = Field(description="Its branch")

    class Branch(Table):
        """A branch of a branch."""

        __table__: ClassVar[TableOptions] = table(schema="app", name="branches")
        branch_id: Annotated[int, Column(primary_key=True)] = key()
        parent_id: Annotated[int | None, Column(references="app.branches", on_delete="cascade")] = Field(description="Its parent")

    leaves, branches = introspect.tables([Leaf, Branch], ENUMS)
    assert [(key.column, key.table, key.referenced_column, key.on_delete) for key in (*leaves.foreign_keys, *branches.foreign_keys)] == [
        ("branch_id", "branches", "branch_id", "set null"),
        ("parent_id", "branches", "branch_id", "cascade"),
    ]
    # Rows without a parent are not in its index: no look-up by the key finds them there.
    assert [(name, index.where) for name, index in branches.indexes] == [("idx_branches_parent_id", "parent_id IS NOT NULL")]


def test_every_class_with_a_table_in_a_module_of_models_is_generated() -> None:
    assert {f"{model.__table__.schema}.{model.__table__.name}" for model in TABLES} >= {"app.jobs", "app.tasks", "platform.requests"}
    assert len(set(TABLES)) == len(TABLES)
    assert all(model.__module__.startswith("codegen.models.") for model in TABLES)


@pytest.mark.parametrize("labels", [{"A": "x" * 64}, {"A": "x\0"}, {"A": "x", "B": "x"}])
def test_an_enum_that_postgresql_cannot_hold_is_refused(labels: dict[str, str]) -> None:
    enum = cast(Any, DatabaseEnum)("Odd", labels)
    enum.__doc__ = "An odd one."
    with pytest.raises(RefusedError, match="Odd"):
        introspect.enum_types({"app": {"odd": enum}})


def test_an_enum_without_a_docstring_is_refused() -> None:
    class Silent(DatabaseEnum):
        A = "a"

    with pytest.raises(RefusedError, match="Silent: it has no docstring"):
        introspect.enum_types({"app": {"silent": Silent}})


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
        (reserved, "Reserved: order", "reserved word"),
        (elsewhere, "Elsewhere.job_id", "schemas have lives of their own"),
        (long_name, "Long: " + "a" * 50, "longer than 63 bytes"),
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
        """A colour."""

        RED = "red"
        GREEN = "green"

        @classmethod
        def renamed_labels(cls) -> dict[str, str]:
            return {"crimson": "red"}

    class Wrong(DatabaseEnum):
        """A colour, too."""

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
