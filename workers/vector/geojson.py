"""Which features of a GeoJSON file have a geometry that GDAL could not read.

GDAL hands those out without geometry, as it does features that have none. The second is a row, the first is a reject: so,
where there are any, the file itself is asked.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

_FEATURES = re.compile(r'"features"\s*:\s*\[')
_BETWEEN = " \t\r\n,"
_BLOCK = 1024 * 1024


def unreadable(path: Path, positions: set[int], total: int) -> set[int]:
    """Of the features at these positions, those whose geometry is neither null nor empty.

    Empty if the file does not show as many features as were read: then nobody can tell which is which.
    """
    found: set[int] = set()
    seen = 0
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        for position, feature in enumerate(_features(file)):
            seen += 1
            if position in positions and _has_geometry(feature):
                found.add(position)
    return found if seen == total else set()


def _has_geometry(feature: Any) -> bool:
    geometry = feature.get("geometry") if isinstance(feature, dict) else None
    if not isinstance(geometry, dict):
        return geometry is not None
    return geometry.get("coordinates", geometry.get("geometries")) != []


def _features(file: TextIO) -> Iterator[Any]:
    """The elements of the features array, one at a time; it ends early where the text is no longer JSON."""
    text = ""
    while (start := _FEATURES.search(text)) is None:
        block = file.read(_BLOCK)
        if not block:
            return
        # What begins before a block's end may go on in the next.
        text = text[-64:] + block
    text = text[start.end() :]
    decoder = json.JSONDecoder()
    while True:
        text = text.lstrip(_BETWEEN)
        try:
            feature, end = decoder.raw_decode(text)
        except (ValueError, RecursionError):
            if text.startswith("]"):
                return
            block = file.read(max(_BLOCK, len(text)))
            if not block:
                return
            text += block
            continue
        yield feature
        text = text[end:]
