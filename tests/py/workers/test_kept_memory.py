"""Blocks that are asked for again: kept for a raster, given back otherwise."""

from __future__ import annotations

import ctypes
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from tests.py.support.server import CHECKOUT
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


def measured() -> list[float]:
    kept_memory.give_back()
    before = asked_for_again()
    with kept_memory.kept():
        kept = asked_for_again()
    return [before, kept, asked_for_again()]


@pytest.mark.skipif(not hasattr(LIBRARY, "mallopt"), reason="another C library than GNU's")
def test_large_blocks_are_kept_for_a_raster_alone() -> None:
    """In a process of its own: what other threads ask for and free would be counted, too."""
    program = "from tests.py.workers.test_kept_memory import measured; print(*measured())"
    done = subprocess.run([sys.executable, "-c", program], cwd=CHECKOUT, check=True, capture_output=True, text=True)
    before, kept, after = map(float, done.stdout.split())
    assert (before > 0.8, kept < 0.2, after > 0.8) == (True, True, True), done.stdout
