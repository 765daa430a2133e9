"""Placing a sample never leads out of the folder: tests leave links there, and run as root."""

from __future__ import annotations

from pathlib import Path

from tests.py.support.samples import place, sample


def test_a_link_is_replaced_and_its_target_stays(tmp_path: Path) -> None:
    folder, outside = tmp_path / "sources", tmp_path / "outside"
    folder.mkdir()
    outside.write_text("precious")
    (folder / "nc.dbf").symlink_to(outside)
    place("nc.shp", folder)
    assert outside.read_text() == "precious"
    assert not (folder / "nc.dbf").is_symlink()
    assert (folder / "nc.dbf").read_bytes() == sample("nc.dbf").read_bytes()
