"""Which types hold each value of which others."""

from __future__ import annotations

from collections.abc import Mapping

_WIDER: Mapping[str, frozenset[str]] = {
    "smallint": frozenset({"integer", "bigint", "numeric", "real", "double precision"}),
    "integer": frozenset({"bigint", "numeric", "double precision"}),
    "bigint": frozenset({"numeric"}),
    "real": frozenset({"double precision"}),
    "date": frozenset({"timestamp with time zone"}),
    "uuid": frozenset({"text"}),
    "boolean": frozenset({"text"}),
}


def is_lossless(before: str, after: str) -> bool:
    """Whether each value of one type is one of the other."""
    if before.endswith("[]") and after.endswith("[]"):
        return is_lossless(before.removesuffix("[]"), after.removesuffix("[]"))
    if after == "text" or after in _WIDER.get(before, ()):
        return True
    old, old_length = _with_length(before)
    new, new_length = _with_length(after)
    if old == new == "character varying":
        return new_length is None or (old_length is not None and old_length[0] <= new_length[0])
    if old == new == "numeric" and old_length and new_length:
        return new_length[1] >= old_length[1] and new_length[0] - new_length[1] >= old_length[0] - old_length[1]
    return old == new and new_length is None


def _with_length(type_name: str) -> tuple[str, tuple[int, ...] | None]:
    name, bracket, rest = type_name.partition("(")
    if not bracket:
        return (name, None)
    numbers = rest.partition(")")[0].split(",")
    return (name, tuple(int(number) for number in numbers)) if all(number.strip().isdigit() for number in numbers) else (type_name, None)
