"""Edits of a model's source: of a field, and of a table's options."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from codegen import sources
from codegen.models.storable import INTEGER
from codegen.refusal import RefusedError
from codegen.sources import Class, keyword, literal, say

BIGINT = {"ge": "-(2**63)", "lt": "2**63"}
_BOUNDS = ("ge", "gt", "le", "lt", "multiple_of", "min_length", "max_length", "pattern", "max_digits", "decimal_places")


class Field:
    """A field's line: `name: Annotated[type, Column(...)] = Field(...)`."""

    def __init__(self, node: ast.AnnAssign, written: Class | None) -> None:
        self.node = node
        self.written = written
        if not isinstance(node.value, ast.Call) or sources.source(node.value.func) != "Field":
            raise RefusedError(sources.source(node.target), "it is not written as a Field(...)", "change it by hand")
        self.field = node.value

    @classmethod
    def of(cls, written: Class, name: str) -> Field:
        """A field of a class, or of what is being added to it."""
        found = written.entry(name)
        if found is None:
            for number, line in enumerate(written.added):
                node = ast.parse(line).body[0]
                if isinstance(node, ast.AnnAssign) and sources.source(node.target) == name:
                    return _Added(node, written, number)
        if not isinstance(found, ast.AnnAssign):
            raise RefusedError(f"{written.name}.{name}", "its class has no such field of its own", "look for the base that has it")
        return cls(found, written)

    @classmethod
    def new(cls, name: str, description: str) -> Field:
        field_ = sources.expression(f"Field(description={literal(description)})")
        node = ast.AnnAssign(target=ast.Name(name), annotation=ast.Name("Any"), value=field_, simple=1)
        return cls(node, None)

    def say(self, argument: str, value: str | None) -> None:
        say(self.field, argument, value)
        self.change()

    bound = say

    def change(self) -> None:
        if self.written is not None:
            self.written.changed.add(sources.source(self.node.target))

    def type(self, annotation: str, bounds: Mapping[str, str], array: bool) -> None:
        nullable = self._is_nullable()
        for argument in _BOUNDS:
            say(self.field, argument, bounds.get(argument))
        self._base(annotation)
        self.option("array", "True" if array else None)
        if nullable:
            self.nullable(yes=True)

    def widen(self) -> None:
        """Bounds that only a bigint holds."""
        if not any(keyword(self.field, argument) for argument in ("ge", "gt")):
            self.say("ge", BIGINT["ge"])
        if not any(self._beyond(argument) for argument in ("le", "lt")):
            for argument in ("le", "lt"):
                self.say(argument, None)
            self.say("lt", BIGINT["lt"])

    def narrow(self) -> None:
        """No bounds beyond those of an integer."""
        for argument in ("ge", "gt", "le", "lt"):
            if self._beyond(argument):
                self.say(argument, None)

    def _beyond(self, argument: str) -> bool:
        value = keyword(self.field, argument)
        if value is None:
            return False
        number = eval(compile(ast.Expression(value), "<model>", "eval"), {"__builtins__": {}})  # noqa: S307 (a literal of our own model)
        return not INTEGER[0] <= number <= INTEGER[1]

    def nullable(self, *, yes: bool) -> None:
        base = sources.source(self._base()).removesuffix(" | None")
        self._base(f"{base} | None" if yes else base)
        default = keyword(self.field, "default")
        if not yes and isinstance(default, ast.Constant) and default.value is None:
            self.say("default", None)
        if yes and default is None and keyword(self.field, "default_factory") is None and self._column() is None:
            self.say("default", "None")
        self.change()

    def _is_nullable(self) -> bool:
        return sources.source(self._base()).endswith(" | None")

    def valueless(self) -> None:
        for argument in ("default", "default_factory"):
            self.say(argument, None)
        for option in ("identity", "generated", "default"):
            self.option(option, None)

    def option(self, argument: str, value: str | None) -> None:
        """An argument of the field's Column(...)."""
        column = self._column()
        if column is None:
            if value is None:
                return
            base = sources.source(self.node.annotation)
            self.node.annotation = sources.expression(f"Annotated[{base}, Column({argument}={value})]")
        else:
            say(column, argument, value)
            if not column.keywords:
                self.node.annotation = self._base()
        self.change()

    def _column(self) -> ast.Call | None:
        made = self.node.annotation
        if isinstance(made, ast.Subscript) and sources.source(made.value) == "Annotated" and isinstance(made.slice, ast.Tuple):
            for element in made.slice.elts[1:]:
                if isinstance(element, ast.Call) and sources.source(element.func) == "Column":
                    return element
        return None

    def _base(self, annotation: str | None = None) -> ast.expr:
        """The type without its Column; another one, if given."""
        made = self.node.annotation
        if self._column() is not None and isinstance(made, ast.Subscript) and isinstance(made.slice, ast.Tuple):
            if annotation is not None:
                made.slice.elts[0] = sources.expression(annotation)
            return made.slice.elts[0]
        if annotation is not None:
            self.node.annotation = sources.expression(annotation)
        return self.node.annotation


class _Added(Field):
    """A field that is itself new: its line is written anew with each change."""

    def __init__(self, node: ast.AnnAssign, written: Class, number: int) -> None:
        super().__init__(node, written)
        self.of_class = written
        self.number = number

    def change(self) -> None:
        self.of_class.added[self.number] = sources.source(self.node)


class Options:
    """A table's options: the arguments of `table(...)`."""

    def __init__(self, written: Class) -> None:
        found = written.entry("__table__")
        if found is None or not isinstance(found.value, ast.Call):
            raise RefusedError(written.name, "its __table__ is not written as table(...)", "change it by hand")
        self.written = written
        self.call = found.value

    def say(self, argument: str, value: str | None) -> None:
        say(self.call, argument, value)
        self.written.changed.add("__table__")

    def append(self, argument: str, element: str) -> None:
        """One more element of a list."""
        found = keyword(self.call, argument)
        if isinstance(found, ast.List):
            found.elts.append(sources.expression(element))
        elif found is None:
            say(self.call, argument, f"[{element}]")
        else:
            say(self.call, argument, f"[*{sources.source(found)}, {element}]")
        self.written.changed.add("__table__")

    def replace(self, argument: str, is_it: Any, element: str | None) -> bool:
        """Another element, or none, for the one of a list that it is; whether there was one."""
        found = keyword(self.call, argument)
        if not isinstance(found, ast.List):
            return False
        for number, node in enumerate(found.elts):
            if is_it(node):
                found.elts[number : number + 1] = [] if element is None else [sources.expression(element)]
                if not found.elts:
                    say(self.call, argument, None)
                self.written.changed.add("__table__")
                return True
        return False


def first_argument(node: ast.expr) -> str | None:
    if isinstance(node, ast.Call) and node.args and isinstance(node.args[0], ast.Constant):
        return str(node.args[0].value)
    return None


def columns(node: ast.expr) -> tuple[str, ...]:
    return tuple(ast.literal_eval(node.args[0])) if isinstance(node, ast.Call) and node.args else ()


def named_as(node: ast.expr) -> str | None:
    found = keyword(node, "name") if isinstance(node, ast.Call) else None
    return str(ast.literal_eval(found)) if found is not None else None
