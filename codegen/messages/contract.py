"""Which functions a worker calls, and with what, as one number: a database and a worker agree on it before any work is claimed.

A function that workers call never changes its shape in place: the new shape has a new name, and the old stays for one release
(docs/dba.md). The release that brings it raises NEWEST; the one that takes the old away raises OLDEST to the same. So a deploy
goes first, workers follow, and those that did not follow for two releases are told why they cannot start.
"""

from __future__ import annotations

OLDEST = 1
"""The oldest contract that the functions of this version still keep."""

NEWEST = 2
"""The contract that workers of this version rely on."""
