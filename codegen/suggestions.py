"""Each difference of a database from the models, as the edits of the models that would take it over."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from codegen import catalog, introspect, sources
from codegen.catalog import Catalog, Difference, Thing
from codegen.model_edits import BIGINT, Field, Options, columns, first_argument, named_as
from codegen.models import ENUMS, TABLES
from codegen.models.enums import Status
from codegen.refusal import RefusedError
from codegen.sources import Class, Edit, keyword, literal
from codegen.version import CHECKOUT

_TYPES = {
    "integer": "int",
    "bigint": "int",
    "text": "str",
    "double precision": "float",
    "boolean": "bool",
    "timestamp with time zone": "AwareDatetime",
    "date": "date",
    "uuid": "UUID",
    "jsonb": "Any",
}
# Which arguments of a field make a check of its own name.
_CHECKS = {
    "multiple_check": ("multiple_of",),
    "length_check": ("min_length",),
    "size_check": ("max_length",),
    "check": ("ge", "gt", "le", "lt", "pattern"),
}
_REFERENCE = re.compile(r"FOREIGN KEY \((\w+)\) REFERENCES (\w+\.\w+)\(\w+\)(?: ON DELETE (CASCADE|RESTRICT|SET NULL))?")
_INDEX = re.compile(r"ON \S+ USING (\w+) \((.*?)\)(?: INCLUDE \(([^)]*)\))?(?: WHERE \((.*)\))?", re.DOTALL)
_POLICY = re.compile(r"AS PERMISSIVE FOR (\w+) TO (\w+) (?:USING|WITH CHECK) \((.*)\)", re.DOTALL)
ADOPTED = "taken over from a database: say why these alone"


@dataclass
class Answer:
    """What to change in the models, and what no change of them says."""

    edits: list[Edit] = field(default_factory=list)
    unsaid: list[str] = field(default_factory=list)
    """What is to be done elsewhere, or cannot be said; with the remedy."""
    remaining: list[Difference] = field(default_factory=list)
    """What would differ still, with the edits made: what a deploy would change."""


class Work:
    """One comparison, and the classes as they become."""

    def __init__(self, live: Catalog, wanted: Catalog) -> None:
        self.live = live
        self.wanted = wanted
        self.models = {f"{model.__table__.schema}.{model.__table__.name}": model for model in TABLES}
        self.enums = {f"{schema}.{name}": enum for schema, types in ENUMS.items() for name, enum in types.items()}
        self.classes: dict[type, Class] = {}
        self.found = Answer()

    def answer(self) -> Answer:
        differences = catalog.notable(catalog.differences(self.live, self.wanted), self.live, self.wanted)
        # Types first, for columns name them; columns before what is said of them.
        order = {"type": 0, "table": 1, "column": 2, "key": 3, "check": 4}
        for difference in sorted(differences, key=lambda one: order.get(one.kind, 5)):
            try:
                self._one(difference, self.live.get(difference.key), self.wanted.get(difference.key))
            except RefusedError as error:
                self.found.unsaid.append(f"{difference.kind} {error.where}: {error.why}; {error.remedy}")
        for written in self.classes.values():
            self.found.edits += written.edits()
        by_file: dict[Path, list[str]] = {}
        for edit in self.found.edits:
            if edit.action != "remove":
                by_file.setdefault(edit.file, []).append(edit.text)
        for file, texts in by_file.items():
            self.found.edits += sources.imports(file, texts, (enum.__name__ for enum in self.enums.values()))
        self.found.edits.sort(key=lambda edit: (str(edit.file), edit.where, edit.first))
        return self.found

    def _one(self, difference: Difference, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        match difference.kind:
            case "column":
                self._column(live, wanted)
            case "check":
                self._check(live, wanted)
            case "key":
                self._key(live, wanted)
            case "index":
                self._index(live, wanted)
            case "comment":
                self._comment(live, wanted)
            case "table":
                self._table(live, wanted)
            case "type":
                self._type(live, wanted)
            case "storage":
                self._storage(thing.name)
            case "policy":
                self._policies(str(thing.detail["table"]))
            case "grant on table":
                self._grants(str(thing.detail["of"]))
            case "function":
                self._function(live, wanted)
            case _:
                raise RefusedError(thing.name, "no model says that", _REMEDIES.get(difference.kind, "undo it by a deploy"))

    # Columns ------------------------------------------------------------------------------------------------------------

    def _column(self, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        written = self._class(thing.detail["table"])
        name = thing.detail["column"]
        if live is None:
            written.removed.add(name)
        elif wanted is None:
            written.added.append(self._field(live))
        else:
            self._changed_column(live, wanted, Field.of(written, name))

    def _field(self, column: Thing, *, primary_key: bool = False) -> str:
        """A line for a column that no model has."""
        it = column.detail
        made = Field.new(it["column"], self._comment_on("column", column.name) or f"{it['column']}, as found in a database")
        made.type(*self._type_of(column))
        if primary_key:
            made.option("primary_key", "True")
        if not it["not_null"]:
            made.nullable(yes=True)
        self._value(made, column)
        return sources.source(made.node)

    def _changed_column(self, live: Thing, wanted: Thing, made: Field) -> None:
        there, here = live.detail, wanted.detail
        if there["type"] != here["type"]:
            if {there["bare"], here["bare"]} <= {"character varying", "text"} and there["type"] != "character varying":
                made.bound("max_length", _length(there["type"]))
            elif {there["bare"], here["bare"]} == {"integer", "bigint"}:
                made.widen() if there["bare"] == "bigint" else made.narrow()
            else:
                made.type(*self._type_of(live))
        if there["not_null"] != here["not_null"]:
            made.nullable(yes=not there["not_null"])
        if any(there[part] != here[part] for part in ("default", "generated", "identity")):
            self._value(made, live)

    def _type_of(self, column: Thing) -> tuple[str, Mapping[str, str], bool]:
        """Annotation, constraints, and whether it is an array."""
        shown = str(column.detail["type"])
        element = shown.removesuffix("[]")
        annotation, bounds = self._scalar(element, column.name)
        if element == shown:
            return annotation, bounds, False
        if bounds:
            annotation = f"Annotated[{annotation}, Field({', '.join(f'{key}={value}' for key, value in bounds.items())})]"
        return f"list[{annotation}]", {}, True

    def _scalar(self, shown: str, where: str) -> tuple[str, Mapping[str, str]]:
        if shown in self.enums:
            return self.enums[shown].__name__, {}
        if numeric := re.fullmatch(r"numeric\((\d+),(\d+)\)", shown):
            return "Decimal", {"max_digits": numeric[1], "decimal_places": numeric[2]}
        if length := _length(shown):
            return "str", {"max_length": length}
        if shown in _TYPES:
            return _TYPES[shown], BIGINT if shown == "bigint" else {}
        raise RefusedError(
            where, f"no model makes a column of type {shown}", f"give it one of {', '.join(sorted(_TYPES))}, varchar(n), numeric(p, s)"
        )

    def _value(self, made: Field, column: Thing) -> None:
        """Where the column's value comes from when none is given."""
        it = column.detail
        made.valueless()
        if it["identity"] == "d":
            raise RefusedError(column.name, "GENERATED BY DEFAULT AS IDENTITY", "ALTER COLUMN … SET GENERATED ALWAYS")
        if it["identity"] == "a":
            made.option("identity", "True")
        elif it["generated"] is not None:
            made.option("generated", literal(it["generated"]))
        elif it["default"] is None:
            if not it["not_null"]:
                made.say("default", "None")
        elif (value := self._python(it["default"], it["type"])) is not None:
            made.say(*value)
        else:
            made.option("default", literal(it["default"]))

    def _python(self, default: str, shown: str) -> tuple[str, str] | None:
        """A default in Python, if it has a plain one: the argument and its value."""
        plain = re.sub(r"::[\w .\[\]()]+$", "", default)
        factories = {("now()", "timestamp with time zone"): "now", ("gen_random_uuid()", "uuid"): "uuid4"}
        if (default, shown) in factories:
            return ("default_factory", factories[default, shown])
        if shown.endswith("[]"):
            return ("default_factory", "list") if plain == "'{}'" else None
        text = plain[1:-1].replace("''", "'") if re.fullmatch(r"'([^']|'')*'", plain) else plain
        if shown in self.enums and plain.startswith("'"):
            member = next((label for label in self.enums[shown] if label.value == text), None)
            return None if member is None else ("default", f"{self.enums[shown].__name__}.{member.name}")
        if shown in ("integer", "bigint") and re.fullmatch(r"-?\d+", text):
            return ("default", text)
        if shown == "double precision" and re.fullmatch(r"-?\d+(\.\d+)?", text):
            return ("default", str(float(text)))
        if shown == "boolean" and text in ("true", "false"):
            return ("default", text.capitalize())
        if (shown == "text" or _length(shown)) and plain.startswith("'"):
            return ("default", literal(text))
        return None

    # Checks, keys, indexes ----------------------------------------------------------------------------------------------

    def _check(self, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        table, name = str(thing.detail["table"]), str(thing.detail["name"])
        said = f"Check({literal(name)}, {literal(_condition(live))})" if live is not None else None
        if live is not None and not live.detail["valid"]:
            raise RefusedError(live.name, "it is not validated", "ALTER TABLE … VALIDATE CONSTRAINT, and pull again")
        if wanted is None:
            self._options(table).append("checks", str(said))
        elif not self._options(table).replace("checks", lambda node: first_argument(node) == name, said):
            self._unbound(table, name)
            if said is not None:
                self._options(table).append("checks", said)

    def _unbound(self, table: str, check: str) -> None:
        """Take the constraints away that make a check of a field."""
        model = self.models[table]
        for column in model.model_fields:
            for suffix, arguments in _CHECKS.items():
                if check == f"{model.__table__.name}_{column}_{suffix}":
                    made = Field.of(self._class(table), column)
                    before = [argument for argument in arguments if keyword(made.field, argument) is not None]
                    if not before:
                        raise RefusedError(
                            check, f"it comes with the type of {column}", "choose another type for the field, or deploy the check"
                        )
                    for argument in before:
                        made.bound(argument, None)
                    there = self.live.get(("column", f"{table}.{column}"))
                    if there is not None and there.detail["type"] == "bigint":
                        made.widen()
                    return
        raise RefusedError(check, "no field and no option of its model makes it", "deploy it")

    def _key(self, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        it = thing.detail
        table = str(it["table"])
        bare = self.models[table].__table__.name
        if live is not None and wanted is not None:
            self._key(None, wanted)
            self._key(live, None)
        elif it["type"] == "u":
            columns = re.findall(r"\w+", str(it["definition"]).removeprefix("UNIQUE "))
            if it["definition"] != f"UNIQUE ({', '.join(columns)})":
                raise RefusedError(thing.name, f"no model says {it['definition']}", "make it a plain UNIQUE, or a unique Index")
            self._named(thing, f"{bare}_{'_'.join(columns)}_key")
            shown = f"({', '.join(map(literal, columns))}{',' if len(columns) == 1 else ''})"
            options = self._options(table)
            if live is not None:
                options.append("unique", shown)
            elif not options.replace("unique", lambda node: sources.source(node) == shown, None):
                Field.of(self._class(table), columns[0]).option("unique", None)
        elif it["type"] == "f" and (found := _REFERENCE.fullmatch(str(it["definition"]))):
            self._named(thing, f"{bare}_{found[1]}_fkey")
            made = self._field_of(table, found[1])
            made.option("references", literal(found[2]) if live is not None else None)
            made.option("on_delete", literal(found[3].lower()) if live is not None and found[3] else None)
        else:
            raise RefusedError(thing.name, f"no model says {it['definition']}", "say it as a Check, or undo it by a deploy")

    def _named(self, thing: Thing, name: str) -> None:
        if thing.detail["name"] != name:
            raise RefusedError(thing.name, f"a model would call it {name}", f"ALTER TABLE … RENAME CONSTRAINT … TO {name}, and pull again")

    def _index(self, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        table, name = str(thing.detail["table"]), str(thing.detail["name"])
        made = introspect.tables(TABLES, ENUMS)
        model = next(each for each in made if f"{each.schema}.{each.name}" == table)
        declared = self.models[table].__table__.indexes
        names = [index_name for index_name, _ in model.indexes]
        said = None if live is None else _index_source(live, model.name)
        if wanted is None:
            self._options(table).append("indexes", str(said))
        elif names.index(name) < len(declared):
            index = declared[names.index(name)]
            self._options(table).replace("indexes", lambda node: columns(node) == index.columns and named_as(node) == index.name, said)
        else:
            # One of the strategy's: the others are said by name, and why these alone is for a person to say.
            options = self._options(table)
            for index_name, _ in model.indexes[len(declared) :]:
                there = self.live.get(("index", f"{model.schema}.{index_name}"))
                if there is not None:
                    options.append("indexes", _index_source(there, model.name))
            options.say("only_these_indexes", literal(ADOPTED))

    # The table as a whole -----------------------------------------------------------------------------------------------

    def _comment(self, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        class_, of = str(thing.detail["class"]), str(thing.detail["of"])
        if live is None:
            raise RefusedError(thing.name, "a model has no table, column or type without a comment", "deploy the comment")
        text = live.definition
        if class_ == "column":
            table, _, column = of.rpartition(".")
            Field.of(self._class(table), column).say("description", literal(text))
        elif class_ in ("table", "type"):
            written = self._class(of) if class_ == "table" else self._enum(of)
            written.document(text)
        else:
            raise RefusedError(thing.name, f"the comment of a {class_}", "undo it by a deploy")

    def _table(self, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        if live is not None and wanted is not None:
            if live.detail["owner"] != wanted.detail["owner"] or live.detail["relkind"] != wanted.detail["relkind"]:
                raise RefusedError(live.name, "its owner, or its kind", "undo it by a deploy")
            self._options(live.name).say("unlogged", "True" if live.detail["unlogged"] else None)
        elif live is None:
            written = sources.class_of(self.models[thing.name])
            text = sources.source(written.node)
            node = written.node
            self.found.edits.append(Edit(written.file, "the tables", "remove", text, node.lineno, node.end_lineno or node.lineno))
        else:
            self._new_table(live)

    def _new_table(self, table: Thing) -> None:
        schema, _, name = table.name.partition(".")
        module = next((model for model in TABLES if model.__table__.schema == schema), None)
        if module is None or table.detail["relkind"] != "r":
            raise RefusedError(table.name, "no model makes such a table", "make it a plain table of app or platform")
        file = sources.class_of(module).file
        parts = [thing for thing in self.live.things.values() if catalog.table_of(thing) == table.name]
        columns = sorted((thing for thing in parts if thing.kind == "column"), key=lambda thing: int(thing.detail["position"]))
        keys = {str(thing.detail["type"]): thing for thing in parts if thing.kind == "key"}
        if "p" not in keys:
            raise RefusedError(table.name, "it has no primary key", "give it one, and pull again")
        key = re.findall(r"\w+", str(keys["p"].detail["definition"]).removeprefix("PRIMARY KEY "))
        options = [f'schema="{schema}"', f'name="{name}"', *([f"primary_key=({', '.join(map(literal, key))})"] if len(key) > 1 else [])]
        checks = [f"Check({literal(it.detail['name'])}, {literal(_condition(it))})" for it in parts if it.kind == "check"]
        indexes = [_index_source(it, name) for it in parts if it.kind == "index"]
        options += [f"checks=[{', '.join(checks)}]"] if checks else []
        options += [f"indexes=[{', '.join(indexes)}]"] if indexes else []
        options.append(f"only_these_indexes={literal(ADOPTED)}")
        options += [f"{key_}={value}" for key_, value in {**self._storage_said(table.name), **self._rights(table.name)}.items() if value]
        lines = [f"class {_class_name(name)}(Table):"]
        lines += [f"    {sources.documented(self._comment_on('table', table.name) or f'{name}, as found in a database.')}", ""]
        lines += [f"    __table__: ClassVar[TableOptions] = table({', '.join(options)})", ""]
        lines += [f"    {self._field(column, primary_key=key == [column.detail['column']])}" for column in columns]
        last = len(file.read_text().splitlines())
        self.found.edits.append(Edit(file, "the tables", "add", "\n".join(lines), last + 1, last))
        for thing in parts:
            if thing.kind == "key" and thing.detail["type"] != "p":
                self.found.unsaid.append(f"key {thing.name}: {thing.detail['definition']}; add it to the new class, and pull again")

    def _storage(self, table: str) -> None:
        for argument, value in self._storage_said(table).items():
            self._options(table).say(argument, value)

    def _storage_said(self, table: str) -> dict[str, str | None]:
        thing = self.live.get(("storage", table))
        found = dict(option.split("=", 1) for option in thing.detail["options"]) if thing else {}
        fillfactor = found.pop("fillfactor", None)
        storage = ", ".join(f"{literal(key)}: {literal(value)}" for key, value in found.items())
        return {"fillfactor": fillfactor, "storage": f"{{{storage}}}" if storage else None}

    def _rights(self, table: str) -> dict[str, str | None]:
        return {"policies": self._policies_said(table), "grants": self._grants_said(table)}

    def _policies(self, table: str) -> None:
        self._options(table).say("policies", self._policies_said(table))

    def _policies_said(self, table: str) -> str | None:
        made = []
        for thing in self.live.of_kind("policy"):
            if thing.detail["table"] == table:
                found = _POLICY.fullmatch(str(thing.detail["body"]))
                if found is None:
                    raise RefusedError(thing.name, f"no model says {thing.detail['body']}", "one permissive policy for one role, please")
                command, role, condition = found[1].lower(), found[2], found[3]
                shown = "" if command == "all" else f", command={literal(command)}"
                made.append(f"Policy({literal(str(thing.detail['name']))}, {literal(role)}, {literal(condition)}{shown})")
        return f"[{', '.join(made)}]" if made else None

    def _grants(self, table: str) -> None:
        self._options(table).say("grants", self._grants_said(table))

    def _grants_said(self, table: str) -> str | None:
        made = []
        for thing in self.live.of_kind("grant on table"):
            it = thing.detail
            if it["of"] == table and not it["is_owner"]:
                if it["grantable"] or it["role"] == "PUBLIC":
                    raise RefusedError(thing.name, "a right of PUBLIC, or one that may be given on", "revoke it: no model grants that")
                made.append(f"{literal(it['role'])}: ({', '.join(map(literal, it['plain']))},)")
        return f"{{{', '.join(made)}}}" if made else None

    def _comment_on(self, class_: str, of: str) -> str | None:
        found = [thing for thing in self.live.of_kind("comment") if thing.detail["class"] == class_ and thing.detail["of"] == of]
        return found[0].definition if found else None

    # Enums and functions ------------------------------------------------------------------------------------------------

    def _type(self, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        if live is not None and not live.detail["enum"]:
            raise RefusedError(live.name, "a type that is no enum", "drop it: no model makes one")
        if live is None:
            raise RefusedError(
                thing.name, "the database has no such enum", "take it out of codegen/models/enums.py, where nothing uses it any more"
            )
        labels = [str(label) for label in live.detail["labels"]]
        if wanted is not None:
            written = self._enum(live.name)
            enum = self.enums[live.name]
            present = [label.value for label in enum]
            if [label for label in labels if label in present] != [label for label in present if label in labels]:
                raise RefusedError(live.name, f"its labels in another order: {', '.join(labels)}", "order the members of its class so")
            for label in enum:
                if label.value not in labels:
                    written.removed.add(label.name)
            self._new_labels(written, enum, labels)
        else:
            schema, _, name = live.name.partition(".")
            lines = [f"class {_class_name(name, singular=True)}(DatabaseEnum):"]
            lines += [f"    {sources.documented(self._comment_on('type', live.name) or f'{name}, as found in a database.')}", ""]
            lines += [f"    {_member(label)} = {literal(label)}" for label in labels]
            self._new_enum(schema, name, lines)

    def _new_labels(self, written: Class, enum: type[StrEnum], labels: list[str]) -> None:
        """Each new label after the one it follows: their order is the type's."""
        members = {label.value: label.name for label in enum}
        for number, label in enumerate(labels):
            if label in members:
                continue
            earlier = [members[each] for each in labels[:number] if each in members]
            later = [members[each] for each in labels[number:] if each in members]
            line = written.place(earlier[-1])[1] + 1 if earlier else written.place(later[0])[0]
            text = f"{_member(label)} = {literal(label)}"
            self.found.edits.append(Edit(written.file, f"class {written.name}", "add", text, line, line - 1))
        if issubclass(enum, Status):
            self.found.unsaid.append(
                f"type {written.name}: which transitions its new labels have, and which are terminal; see codegen/models/enums.py"
            )

    def _new_enum(self, schema: str, name: str, lines: list[str]) -> None:
        file = Path(sources.class_of(next(iter(self.enums.values()))).file)
        tree = ast.parse(file.read_text())
        table = next(each for each in tree.body if isinstance(each, ast.AnnAssign) and sources.source(each.target) == "ENUMS")
        listed = table.value if isinstance(table.value, ast.Dict) else ast.Dict([], [])
        types = next(value for key, value in zip(listed.keys, listed.values, strict=True) if key and sources.source(key) == literal(schema))
        self.found.edits.append(Edit(file, "the enums", "add", "\n".join(lines), table.lineno, table.lineno - 1))
        last = types.end_lineno or types.lineno
        entry = f"        {literal(name)}: {_class_name(name, singular=True)},"
        self.found.edits.append(Edit(file, "ENUMS", "add", entry, last, last - 1))

    def _function(self, live: Thing | None, wanted: Thing | None) -> None:
        thing = _either(live, wanted)
        schema, _, name = thing.name.partition("(")[0].partition(".")
        template = next(
            (path for folder in (schema, "shared") if (path := CHECKOUT / "db/functions" / folder / f"{name}.sql.j2").exists()), None
        )
        if template is None and wanted is not None:
            raise RefusedError(
                thing.name, "it is generated from a model in codegen/messages", "change the model: nobody edits its validator"
            )
        where = template or CHECKOUT / "db" / "functions" / schema / f"{name}.sql.j2"
        what = "is not in the database" if live is None else "is in no template" if wanted is None else "has another body or other settings"
        remedy = f"{'delete' if live is None else 'write' if wanted is None else 'change'} {where.relative_to(CHECKOUT)}"
        raise RefusedError(thing.name, what, remedy if live is None else f"{remedy}; \\sf shows what is there")

    # ---------------------------------------------------------------------------------------------------------------------

    def _class(self, table: str) -> Class:
        if table not in self.models:
            raise RefusedError(table, "no model makes this table", "it comes with its class")
        return self.classes.setdefault(self.models[table], sources.class_of(self.models[table]))

    def _enum(self, name: str) -> Class:
        return self.classes.setdefault(self.enums[name], sources.class_of(self.enums[name]))

    def _field_of(self, table: str, column: str) -> Field:
        return Field.of(self._class(table), column)

    def _options(self, table: str) -> Options:
        return Options(self._class(table))


_REMEDIES = {
    "trigger": "triggers come from updated_at and from the transitions of a status: deploy, or change those",
    "view": "no model makes a view: drop it, or move it to a schema of its own",
    "sequence": "no model makes a sequence but an identity's: use Column(identity=True)",
    "schema": "owners are codegen/ddl.py's",
    "row security": "it comes with the policies of a model",
    "grant on function": "change the GRANT in its template under db/functions",
    "grant on schema": "change SCHEMA_USERS in codegen/ddl.py",
    "grant on column": "grant the table, or a function",
}


def _either(live: Thing | None, wanted: Thing | None) -> Thing:
    """The thing, as it is or as it was wanted; a difference has one side at least."""
    found = live or wanted
    if found is None:
        raise RefusedError("a difference", "it has no side", "read both sides again")
    return found


def _length(shown: str) -> str | None:
    found = re.fullmatch(r"character varying\((\d+)\)", shown)
    return found[1] if found else None


def _condition(check: Thing) -> str:
    return str(check.detail["definition"]).removeprefix("CHECK (").removesuffix(")")


def _index_source(index: Thing, table: str) -> str:
    """`Index(...)` for an index that is there."""
    found = _INDEX.fullmatch(str(index.detail["body"]))
    if found is None or not index.detail["valid"]:
        raise RefusedError(index.name, f"no model says {index.detail['body']}, or it is not valid", "make it again without what is special")
    method, keys, include, where = found.groups()
    columns = _split(keys)
    said = [f"({', '.join(map(literal, columns))},)" if len(columns) == 1 else f"({', '.join(map(literal, columns))})"]
    if where:
        said.append(f"where={literal(where)}")
    if index.detail["unique"]:
        said.append("unique=True")
    if method != "btree":
        said.append(f"method={literal(method)}")
    if include:
        columns_ = [column.strip() for column in include.split(",")]
        said.append(f"include=({', '.join(map(literal, columns_))},)")
    if index.detail["name"] != "_".join(["idx", table, *(column.removesuffix(" DESC") for column in columns)]):
        said.append(f"name={literal(str(index.detail['name']))}")
    return f"Index({', '.join(said)})"


def _split(keys: str) -> list[str]:
    """Keys of an index, at the commas that are in no parentheses."""
    found, depth = [""], 0
    for character in keys:
        depth += {"(": 1, ")": -1}.get(character, 0)
        if character == "," and depth == 0:
            found.append("")
        else:
            found[-1] += character
    return [key.strip() for key in found]


def _class_name(name: str, *, singular: bool = False) -> str:
    words = name.split("_")
    if not singular:
        words[-1] = words[-1].removesuffix("s") or words[-1]
    return "".join(word.capitalize() for word in words)


def _member(label: str) -> str:
    made = re.sub(r"\W", "_", label).upper() or "EMPTY"
    return made if made[0].isalpha() else f"_{made}"
