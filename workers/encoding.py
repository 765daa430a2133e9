"""What may be sent to PostgreSQL as jsonb.

`encode` refuses what jsonb refuses (NUL, lone surrogates, NaN) and what JSON has no word for, naming the place, so that
one bad result is found before it is sent in a batch with good ones. `plain` never refuses: it is for what goes into an
error or a log, where a shortened or described value serves as well.
"""

from __future__ import annotations

import json
import math
from typing import Any

DEEPEST = 64
LARGEST = 64 * 1024 * 1024
_PLAIN_ITEMS = 50
_PLAIN_DEPTH = 6


class NotJsonError(ValueError):
    """A value that jsonb cannot hold."""


def encode(value: Any) -> str:
    """JSON text that PostgreSQL is known to accept. Raises NotJsonError, naming the place in the value."""
    _check(value, "$", 0)
    try:
        text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from error
    if len(text) > LARGEST:
        raise NotJsonError(f"{len(text)} bytes of JSON are more than the {LARGEST} allowed")
    return text


def plain(value: Any, *, longest: int = 2000) -> Any:
    """A value that `encode` accepts: shortened, cleaned, and described where JSON has no word for it."""
    return _plain(value, longest, 0)


def _check(value: Any, place: str, depth: int) -> None:
    if depth > DEEPEST:
        raise NotJsonError(f"nested deeper than {DEEPEST} levels at {place[:200]}")
    if value is None or isinstance(value, bool):
        return
    if isinstance(value, str):
        _check_text(value, place)
    elif isinstance(value, int):
        if value.bit_length() > 4096:
            raise NotJsonError(f"an integer of {value.bit_length()} bits at {place}")
    elif isinstance(value, float):
        if not math.isfinite(value):
            raise NotJsonError(f"{value} at {place}")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not isinstance(key, str):
                raise NotJsonError(f"a key of type {type(key).__name__} at {place}")
            _check_text(key, place)
            _check(item, f"{place}.{key}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, item in enumerate(value):
            _check(item, f"{place}[{index}]", depth + 1)
    else:
        raise NotJsonError(f"a value of type {type(value).__name__} at {place}")


def _check_text(text: str, place: str) -> None:
    if "\x00" in text:
        raise NotJsonError(f"a NUL character at {place}")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise NotJsonError(f"a lone surrogate at {place}") from error


def _plain(value: Any, longest: int, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if value.bit_length() <= 64 else str(value.bit_length()) + "-bit integer"
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(value)
    if isinstance(value, str):
        return _plain_text(value, longest)
    if depth >= _PLAIN_DEPTH:
        return "…"
    if isinstance(value, dict):
        return {_plain_text(str(key), 200): _plain(item, longest, depth + 1) for key, item in list(value.items())[:_PLAIN_ITEMS]}
    if isinstance(value, list | tuple | set | frozenset):
        items = list(value)
        return [_plain(item, longest, depth + 1) for item in items[:_PLAIN_ITEMS]] + (
            [f"… {len(items)} in all"] if len(items) > _PLAIN_ITEMS else []
        )
    try:
        return _plain_text(repr(value), longest)
    except Exception:  # noqa: BLE001 - a repr may raise anything, and describing an error must not fail
        return f"<{type(value).__name__}>"


def _plain_text(text: str, longest: int) -> str:
    shortened = text if len(text) <= longest else text[: longest - 1] + "…"
    return shortened.replace("\x00", "\\0").encode("utf-8", "backslashreplace").decode()
