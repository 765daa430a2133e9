"""What is added up in each cell: sums that can be added again, and never a mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from workers.errors import TaskError

Array = NDArray[Any]
Row = tuple[int, float, float | None, float | None, float | None, float | None, float]

_MOST_CATEGORIES = 1000


class Sums:
    """The sums of one variable, for each of a number of cells."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._count, self._sum, self._squares, self._without = (np.zeros(size) for _ in range(4))
        self._least, self._most = np.full(size, np.inf), np.full(size, -np.inf)
        self._has_values = False

    def add(self, zones: Array, values: Array, weights: Array | None, known: Array) -> None:
        """Add values, by the cells that they are in; those that are not known are counted apart."""
        self._has_values = True
        self._without += np.bincount(zones[~known], None if weights is None else weights[~known], self._size)
        zones, values = zones[known], values[known].astype(np.float64)
        weights = np.ones(len(values)) if weights is None else weights[known]
        self._count += np.bincount(zones, weights, self._size)
        weighted = weights * values
        self._sum += np.bincount(zones, weighted, self._size)
        self._squares += np.bincount(zones, weighted * values, self._size)
        # A pixel that is in a cell by no share at all says nothing of it.
        touched = weights > 0
        np.minimum.at(self._least, zones[touched], values[touched])
        np.maximum.at(self._most, zones[touched], values[touched])

    def count(self, zones: Array) -> None:
        """Count what has no value."""
        self._count += np.bincount(zones, minlength=self._size)

    def rows(self) -> Iterator[Row]:
        """Of each cell that has something: its position, and the columns of h3.zonal_statistics."""
        for zone in np.flatnonzero((self._count > 0) | (self._without > 0)).tolist():
            count, without = float(self._count[zone]), float(self._without[zone])
            if self._has_values and count > 0:
                some = (float(self._sum[zone]), float(self._squares[zone]), float(self._least[zone]), float(self._most[zone]))
                yield (zone, count, *some, without)
            else:
                yield (zone, count, None, None, None, None, without)


class Categories:
    """How often each value of one variable was met in each of a number of cells."""

    def __init__(self, size: int, name: str) -> None:
        self._size = size
        self._name = name
        self._counts: dict[float, Array] = {}

    def add(self, zones: Array, values: Array, weights: Array | None, known: Array) -> None:
        """Count values, by the cells that they are in."""
        zones, values = zones[known], values[known]
        weights = np.ones(len(values)) if weights is None else weights[known]
        for value in np.unique(values).tolist():
            if value not in self._counts and len(self._counts) == _MOST_CATEGORIES:
                raise TaskError(
                    "TOO_MANY_CATEGORIES", f"{self._name} has more than {_MOST_CATEGORIES} different values in one part of the grid",
                    category="user", field="h3.categories", remediation="Ask for statistics of values: leave categories out",
                )  # fmt: skip
            one = values == value
            counted = self._counts.setdefault(value, np.zeros(self._size))
            counted += np.bincount(zones[one], weights[one], self._size)

    def rows(self) -> Iterator[tuple[int, float, float]]:
        """Position, category and count of each that was met."""
        for value, counted in sorted(self._counts.items()):
            for zone in np.flatnonzero(counted > 0).tolist():
                yield zone, float(value), float(counted[zone])
