"""The table of a shapefile, where GDAL does not say everything: deleted records, days that do not exist, integers of 19 digits."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
_HEADER = 32


@dataclass(frozen=True)
class Field:
    """A column: its type's letter, where it lies in a record, how wide it is, how many digits are fractions."""

    type: str
    offset: int
    width: int
    decimals: int

    @property
    def holds_long_integers(self) -> bool:
        """Whether it may hold integers that a double precision does not."""
        return self.type == "N" and self.decimals == 0 and self.width > 18


class Dbf:
    """A table, open as long as it is referred to."""

    def __init__(self, shapefile: Path) -> None:
        path = next(one for one in (shapefile.with_suffix(".dbf"), shapefile.with_suffix(".DBF")) if one.exists())
        with path.open("rb") as file:
            head = file.read(_HEADER)
            records, self.start, length = struct.unpack_from("<IHH", head, 4)
            described = file.read(max(0, self.start - _HEADER))
        self.fields = _fields(described)
        held = max(0, path.stat().st_size - self.start)
        count = min(records, held // length) if length else 0
        self.path = path
        self._records: NDArray[np.uint8] = (
            np.memmap(path, dtype=np.uint8, mode="r", offset=self.start, shape=(count, length)) if count else np.empty((0, 0), np.uint8)
        )

    def deleted(self) -> int:
        """Records that are marked as deleted: GDAL counts them, and does not read them."""
        return int(np.count_nonzero(self._records[:, :1] == ord("*")))

    def impossible_days(self, field: Field, start: int, end: int | None) -> set[int]:
        """Records from start to before end whose day their month does not have."""
        text = self._records[start:end, field.offset : field.offset + 8].astype(np.int64) - ord("0")
        is_date = np.all((text >= 0) & (text <= 9), axis=1)
        year, month, day = text[:, :4] @ (1000, 100, 10, 1), text[:, 4:6] @ (10, 1), text[:, 6:8] @ (10, 1)
        leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
        longest = _DAYS[np.clip(month, 0, 12)] + (leap & (month == 2))
        return {start + int(one) for one in np.flatnonzero(is_date & (day > longest) & (month >= 1) & (month <= 12) & (day <= 31))}

    def integers(self, field: Field, records: list[int]) -> list[Decimal | None]:
        """The values of a column in these records, whatever their length."""
        return [_integer(bytes(self._records[record, field.offset : field.offset + field.width])) for record in records]


def _fields(described: bytes) -> list[Field]:
    fields, offset = [], 1
    for at in range(0, len(described) - 31, 32):
        if described[at] == 0x0D:
            break
        type_, width, decimals = chr(described[at + 11]), described[at + 16], described[at + 17]
        if type_ == "C":
            width, decimals = width + 256 * decimals, 0
        fields.append(Field(type_, offset, width, decimals))
        offset += width
    return fields


def _integer(text: bytes) -> Decimal | None:
    try:
        return Decimal(text.decode("ascii", "replace").strip())
    except InvalidOperation:
        return None
