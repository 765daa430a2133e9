"""Models as text: what a class says in its file, edited line by line.

A change touches the lines of what it changes and no others, so that a person can read it, and paste it.
"""

from __future__ import annotations

import ast
import inspect
import io
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

# What a module may have to import before it can say something new.
IMPORTS = {
    "Annotated": "from typing import Annotated",
    "Any": "from typing import Any",
    "AwareDatetime": "from pydantic import AwareDatetime",
    "Check": "from codegen.models.base import Check",
    "Column": "from codegen.models.base import Column",
    "Decimal": "from decimal import Decimal",
    "Index": "from codegen.models.base import Index",
    "Policy": "from codegen.models.base import Policy",
    "UUID": "from uuid import UUID",
    "date": "from datetime import date",
    "now": "from codegen.models.clock import now",
    "uuid4": "from uuid import uuid4",
}


@dataclass(frozen=True)
class Edit:
    """Lines of a file that become others. An addition has an empty range: it comes before its first line."""

    file: Path
    where: str
    """The class, or what else it is in."""
    action: Literal["add", "replace", "remove"]
    text: str
    """What is added or stands there afterwards; of what is removed, what stood there."""
    first: int
    last: int

    def __str__(self) -> str:
        return "\n".join(f"{self.action if number == 0 else '':8} {line}" for number, line in enumerate(self.text.splitlines()))


@dataclass
class Class:
    """A class as it is written, and what of it changes."""

    file: Path
    name: str
    node: ast.ClassDef
    changed: set[str] = field(default_factory=set)
    """Names of its entries that are not as they were written; "" for the docstring."""
    added: list[str] = field(default_factory=list)
    removed: set[str] = field(default_factory=set)

    def entry(self, name: str) -> ast.AnnAssign | ast.Assign | None:
        """The statement that says `name`."""
        return next((found for found in self.node.body if name in _names(found)), None)  # type: ignore[return-value]

    def place(self, name: str) -> tuple[int, int]:
        """First and last line of an entry."""
        found = self.entry(name)
        return (found.lineno, _end(found)) if found else (self.node.body[0].lineno, _end(self.node.body[0]))

    def document(self, text: str) -> None:
        """Another docstring."""
        first = self.node.body[0]
        if isinstance(first, ast.Expr):
            first.value = ast.Constant(text)
            self.changed.add("")

    def edits(self) -> Iterator[Edit]:
        """What to do to the file."""
        for statement in self.node.body:
            for name in _names(statement):
                if name in self.removed:
                    yield Edit(self.file, f"class {self.name}", "remove", source(statement), statement.lineno, _end(statement))
                elif name in self.changed:
                    yield Edit(self.file, f"class {self.name}", "replace", source(statement), statement.lineno, _end(statement))
        if "" in self.changed:
            docstring = self.node.body[0]
            yield Edit(self.file, f"class {self.name}", "replace", _docstring(docstring), docstring.lineno, _end(docstring))
        after = _end(self.node) + 1
        for line in self.added:
            yield Edit(self.file, f"class {self.name}", "add", line, after, after - 1)


def class_of(cls: type) -> Class:
    """The source of a class."""
    file = Path(inspect.getfile(cls))
    (node,) = [found for found in ast.parse(file.read_text()).body if isinstance(found, ast.ClassDef) and found.name == cls.__name__]
    return Class(file, cls.__name__, node)


def imports(file: Path, texts: Iterable[str], enums: Iterable[str]) -> Iterator[Edit]:
    """What a file has to import for new text."""
    possible = IMPORTS | {enum: f"from codegen.models.enums import {enum}" for enum in enums}
    tree = ast.parse(file.read_text())
    known = {name.asname or name.name for found in tree.body if isinstance(found, ast.Import | ast.ImportFrom) for name in found.names}
    known |= {found.name for found in tree.body if isinstance(found, ast.ClassDef | ast.FunctionDef)}
    used = {token.string for text in texts for token in _tokens(text) if token.type == tokenize.NAME}
    last = max(found.end_lineno or 0 for found in tree.body if isinstance(found, ast.Import | ast.ImportFrom))
    for name in sorted((used - known) & possible.keys()):
        yield Edit(file, "the imports", "add", possible[name], last + 1, last)


def applied(text: str, edits: Iterable[Edit]) -> str:
    """A file's text with its edits made."""
    lines = text.splitlines()
    for edit in sorted(edits, key=lambda edit: (edit.first, edit.last), reverse=True):
        indent = "    " if edit.where.startswith("class ") else ""
        new = [] if edit.action == "remove" else [f"{indent}{line}" if line else line for line in edit.text.splitlines()]
        if edit.action == "add" and edit.text.startswith("class "):
            new = ["", "", *new] if edit.first > len(lines) else [*new, "", ""]
        lines[edit.first - 1 : edit.last] = new
    return "\n".join(lines) + "\n"


def source(node: ast.AST) -> str:
    """Python for a node, quoted as this house does."""
    text = ast.unparse(node)
    lines = text.splitlines(keepends=True)
    for token in reversed(_tokens(text)):
        if token.type == tokenize.STRING and token.string.startswith("'") and token.start[0] == token.end[0]:
            line, start, end = token.start[0] - 1, token.start[1], token.end[1]
            lines[line] = lines[line][:start] + literal(str(ast.literal_eval(token.string))) + lines[line][end:]
        elif token.string == "**":
            line, start, end = token.start[0] - 1, token.start[1], token.end[1]
            lines[line] = lines[line][:start].rstrip() + "**" + lines[line][end:].lstrip(" ")
    return "".join(lines)


def expression(text: str) -> ast.expr:
    """The node of an expression."""
    return ast.parse(text, mode="eval").body


def keyword(call: ast.Call, name: str) -> ast.expr | None:
    """The value of an argument."""
    return next((found.value for found in call.keywords if found.arg == name), None)


def say(call: ast.Call, name: str, value: str | None) -> None:
    """Give an argument a value, or take it away. A description stands last."""
    found = next((each for each in call.keywords if each.arg == name), None)
    if value is None:
        call.keywords = [each for each in call.keywords if each.arg != name]
    elif found is not None:
        found.value = expression(value)
    else:
        place = next((number for number, each in enumerate(call.keywords) if each.arg == "description"), len(call.keywords))
        call.keywords.insert(place, ast.keyword(arg=name, value=expression(value)))


def literal(value: str) -> str:
    """A string in Python, in double quotes."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def documented(text: str) -> str:
    """A docstring of that text."""
    return literal(text) if '"""' in text or "\\" in text or text.endswith('"') else f'"""{text}"""'


def _tokens(text: str) -> list[tokenize.TokenInfo]:
    return list(tokenize.generate_tokens(io.StringIO(text.strip() + "\n").readline))


def _docstring(node: ast.stmt) -> str:
    value = node.value if isinstance(node, ast.Expr) else None
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return documented(value.value)
    return source(node)


def _names(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    if isinstance(statement, ast.Assign):
        return [target.id for target in statement.targets if isinstance(target, ast.Name)]
    return []


def _end(node: ast.stmt) -> int:
    return node.end_lineno or node.lineno
