"""The steps of a plan: what each runs, when, what it locks, and what may hurt.

Steps run at one of these times, each as few transactions as PostgreSQL allows:

labels      new enum labels: they must be committed before anything uses them; one transaction
expand      additions to tables of the claim path: a transaction for each table, so that its lock is short
change      everything else that can be one transaction
contract    removals from tables of the claim path, and triggers on them: a transaction for each table
afterwards  indexes built CONCURRENTLY, constraints validated: beside running work, each on its own
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from codegen.catalog import Key

When = Literal["labels", "expand", "change", "contract", "afterwards"]
WHEN: tuple[When, ...] = ("labels", "expand", "change", "contract", "afterwards")

HazardName = Literal["data-loss", "table-rewrite", "long-lock", "public-interface", "drop-stranger", "not-restored"]


@dataclass(frozen=True)
class Hazard:
    """What a step may do to data or to those who work. It counts only where `table` has rows, if it names one."""

    name: HazardName
    object: str
    why: str
    table: str | None = None

    @property
    def flag(self) -> str:
        """What opens the way."""
        return f"{self.name}:{self.object}"


@dataclass(frozen=True)
class Step:
    """One step of a plan."""

    title: str
    statements: tuple[str, ...]
    when: When = "change"
    keys: frozenset[Key] = frozenset()
    """What it changes."""
    tables: tuple[str, ...] = ()
    lock: str = ""
    """The strongest lock that it takes on its tables."""
    hazards: tuple[Hazard, ...] = ()
    as_owner: bool = True
    """Run as the owner of the schemas; False: as the one who deploys."""
    refused_rows: str | None = None
    """A query for a row that would make the step fail; what it finds, or how it fails itself, is for people."""
    uproots: bool = False
    """Whether PostgreSQL refuses it while something else leans on what it changes."""

    @property
    def concurrently(self) -> bool:
        """Whether it must stand outside any transaction."""
        return any(re.match(r"(CREATE|DROP) (UNIQUE )?INDEX CONCURRENTLY ", statement) for statement in self.statements)
