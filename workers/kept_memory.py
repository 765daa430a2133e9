"""What the GNU C library keeps of memory that was freed, by the kind of task.

Left alone it keeps blocks of sizes that it has seen before. Features come in blocks of any size, and what one leaves is too much to keep
for none that asks: large blocks go back to the system. For a raster, GDAL asks for the same blocks again and again (15 MB to compress a
tile of an overview), and it is the system that has to clear each anew: they are kept.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""What malloc.h calls the options."""
_LARGE_BLOCK = 4 * 1024**2
_LARGEST_KEPT = 32 * 1024**2


def give_back() -> None:
    """Have large blocks returned to the system when they are freed."""
    _set(_LARGE_BLOCK, 128 * 1024)


@contextmanager
def kept() -> Iterator[None]:
    """Have large blocks kept for the next that asks."""
    _set(_LARGEST_KEPT, 2 * _LARGEST_KEPT)
    try:
        yield
    finally:
        give_back()


def _set(largest: int, at_the_end: int) -> None:
    """The largest block that comes from the heap, and how much of that stays when its end is free. Other libraries have no such options."""
    if (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)) is not None:
        mallopt(_MMAP_THRESHOLD, largest)
        mallopt(_TRIM_THRESHOLD, at_the_end)
