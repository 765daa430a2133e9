"""How long chaos lasts, and from which seed: a bounded run in `make test`, a long one in `make chaos MINUTES=… SEED=…`.

The bounded run is the same at every call, so that what it finds is found again.
"""

from __future__ import annotations

import os
import random

SEED = int(os.environ.get("GEOMILL_CHAOS_SEED") or 1)
MINUTES = float(os.environ.get("GEOMILL_CHAOS_MINUTES") or 0)
LONG = MINUTES > 0


def seconds(share: float) -> float:
    """A test's share of a long run."""
    return MINUTES * 60 * share


def rng(name: str) -> random.Random:
    """A source of chance of a test's own; the seed is printed, and pytest shows it where the test fails."""
    print(f"GEOMILL_CHAOS_SEED={SEED} ({name})")
    return random.Random(f"{SEED} {name}")
