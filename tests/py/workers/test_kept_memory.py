"""Blocks that are asked for again: kept for a raster, given back otherwise."""

from __future__ import annotations

import ctypes
import resource
from pathlib import Path

import pytest

from workers import kept_memory

LIBRARY = ctypes.CDLL(None)
LIBRARY.malloc.restype = ctypes.c_void_p
BLOCK = 15 * 1024**2


def used() -> int:
    """Bytes of memory that this process has from the system."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


def asked_for_again() -> float:
    """Of a block that is asked for, freed, and asked for again: how much of it the system makes anew."""
    LIBRARY.free(ctypes.c_void_p(filled()))
    before = used()
    block = filled()
    anew = (used() - before) / BLOCK
    LIBRARY.free(ctypes.c_void_p(block))
    return anew


def filled() -> int:
    block = int(LIBRARY.malloc(BLOCK))
    ctypes.memset(block, 1, BLOCK)
    return block


@pytest.mark.skipif(not hasattr(LIBRARY, "mallopt"), reason="another C library than GNU's")
def test_large_blocks_are_kept_for_a_raster_alone() -> None:
    kept_memory.give_back()
    assert asked_for_again() > 0.8
    with kept_memory.kept():
        assert asked_for_again() < 0.2
    assert asked_for_again() > 0.8
