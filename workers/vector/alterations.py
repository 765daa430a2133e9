"""Values that could not be kept as they were, counted by what was done and by column: never dropped in silence."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field

NUL_REMOVED = "nul_removed"
BROKEN_CHARACTER = "broken_character"
READ_AS_LATIN1 = "read_as_latin1"
IMPOSSIBLE_VALUE = "impossible_value"
ZONE_MISSING = "zone_missing"


@dataclass
class Alterations:
    """What was done, to how many values of which column."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, what: str, column: str, values: int = 1) -> None:
        """Count."""
        self.counts[what][column] += values

    def listed(self) -> dict[str, dict[str, int]]:
        """As plain dictionaries."""
        return {what: dict(columns) for what, columns in self.counts.items()}


def merged(reports: Sequence[dict[str, dict[str, int]]]) -> dict[str, dict[str, int]]:
    """The alterations of several parts, added up."""
    total = Alterations()
    for report in reports:
        for what, columns in report.items():
            for column, values in columns.items():
                total.add(what, column, values)
    return total.listed()
