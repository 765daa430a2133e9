"""GDAL's own words and Python's warnings, gathered while a task runs, and bounded."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path

import pytest
import rasterio
from rasterio.errors import RasterioError

from workers import native_messages
from workers.native_messages import FIRST, LAST, Messages, gathered

TRUNCATED = b"II*\x00\x08\x00\x00\x00\x01\x00\x00\x01\x03\x00"


def test_gathers_what_gdal_says(tmp_path: Path) -> None:
    native_messages.install()
    broken = tmp_path / "broken.tif"
    broken.write_bytes(TRUNCATED)
    with gathered() as messages, pytest.raises(RasterioError), rasterio.open(broken):
        pass
    assert any("broken.tif" in message for message in messages.listed()), messages.listed()


def test_gathers_warnings() -> None:
    with gathered() as messages:
        warnings.warn("lossy", RuntimeWarning, stacklevel=1)
    assert messages.listed() == ["RuntimeWarning: lossy"]


def test_hears_nothing_between_tasks() -> None:
    native_messages.install()
    with gathered() as messages:
        pass
    logging.getLogger("rasterio._err").error("late")
    assert messages.listed() == []


def test_installing_twice_hears_once() -> None:
    native_messages.install()
    native_messages.install()
    with gathered() as messages:
        logging.getLogger("pyogrio._env").warning("once")
    assert messages.listed() == ["once"]


def test_is_bounded_and_says_what_it_left_out() -> None:
    messages = Messages()
    for number in range(1000):
        messages.add(f"{number} " + "x" * 1000)
    listed = messages.listed()
    assert len(listed) == FIRST + LAST + 1
    assert listed[FIRST] == f"… {1000 - FIRST - LAST} messages left out"
    assert listed[0].startswith("0 ")
    assert listed[-1].startswith("999 ")
    assert max(map(len, listed)) <= 500


def test_counts_repetitions() -> None:
    messages = Messages()
    for _ in range(7):
        messages.add("same")
    assert messages.listed() == ["same (7 times)"]
