"""The members of a collection before they are converted: found, named, compared, and one kind for all of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rasterio.transform import from_origin

from codegen.messages.raster import ProcessCollectionParameters
from tests.py.raster.conftest import MakeRaster, noise, ramp
from workers import members
from workers.errors import TaskError
from workers.members import Header, Unreadable
from workers.storage import Storage


def asked(folder: Path, source_path: str | None = None, **config: Any) -> ProcessCollectionParameters:
    return ProcessCollectionParameters(
        request_id="0123456789abcdef" * 2,
        revision=1,
        client_id="ddh_v1",
        client_role="ddh",
        collection_prefix="ddh",
        dataset_id="d",
        resource_id="r",
        version_id="v",
        stac_item_id="d_r_v",
        stac_collection="ddh_d_r_v",
        source_path=source_path or f"{folder}/",
        source_roots=[f"{folder}/"],
        **config,
    )


def listed(folder: Path, source_path: str | None = None) -> tuple[list[str], list[str]]:
    paths, warned = members.listed(Storage.at(folder / "out"), asked(folder, source_path))
    return [Path(path).name for path in paths], [warning.code for warning in warned]


def headers(folder: Path, **config: Any) -> list[Header | Unreadable]:
    wanted = asked(folder, **config)
    storage = Storage.at(folder / "out")
    return list(members.headers(storage, wanted, members.listed(storage, wanted)[0], lambda: None))


def opened(folder: Path, **config: Any) -> list[Header]:
    return [one for one in headers(folder, **config) if isinstance(one, Header)]


def test_a_prefix_lists_rasters_in_name_order(folder: Path, make_raster: MakeRaster) -> None:
    (folder / "deep").mkdir()
    for name in ("b.tif", "a.tiff", "deep/c.TIF"):
        make_raster(ramp(), name)
    for name in ("a.tif.aux.xml", "b.tfw", "b.prj"):
        (folder / name).touch()
    assert listed(folder) == (["a.tiff", "b.tif", "c.TIF"], [])


def test_other_files_below_a_prefix_are_passed_over_aloud(folder: Path, make_raster: MakeRaster) -> None:
    make_raster(ramp(), "a.tif")
    (folder / "README.txt").write_text("hello")
    assert listed(folder) == (["a.tif"], ["FILES_PASSED_OVER"])


def test_an_array_is_taken_as_it_is_each_file_once(folder: Path) -> None:
    paths = [f"{folder}/b.dat", f"{folder}/a.tif", f"{folder}/b.dat"]
    assert listed(folder, json.dumps(paths)) == (["a.tif", "b.dat"], ["MEMBERS_REPEATED"])


def test_nothing_below_a_prefix(folder: Path) -> None:
    (folder / "only.txt").touch()
    with pytest.raises(TaskError) as caught:
        listed(folder)
    assert caught.value.detail.code == "COLLECTION_EMPTY"


def test_members_that_agree(folder: Path, make_raster: MakeRaster) -> None:
    for index in range(3):
        make_raster(noise((20, 20), "uint16", 0, 9000, seed=index), f"{index}.tif")
    assert members.disagreements(opened(folder), reprojected=False) == []


def test_members_of_another_resolution_or_kind(folder: Path, make_raster: MakeRaster) -> None:
    for index in range(3):
        make_raster(noise((3, 20, 20), "uint8"), f"{index}.tif", photometric="RGB")
    make_raster(noise((3, 20, 20), "uint8"), "coarse.tif", photometric="RGB", transform=from_origin(500_000, 4_500_000, 20, 20))
    make_raster(noise((3, 20, 20), "uint8"), "nearly.tif", photometric="RGB", transform=from_origin(500_000, 4_500_000, 10.0001, 10))
    make_raster(noise((3, 20, 20), "uint8"), "plain.tif", photometric="MINISBLACK")
    found = opened(folder)
    odd = ["coarse.tif: resolution 20 x 20 instead of 10 x 10", "plain.tif: kind multispectral instead of rgb"]
    assert sorted(members.disagreements(found, reprojected=False)) == odd
    assert members.disagreements(found, reprojected=True) == odd[1:], "whoever reprojects makes the resolutions alike"


def test_members_that_differ_are_named_with_the_difference(folder: Path, make_raster: MakeRaster) -> None:
    for index in range(3):
        make_raster(ramp(), f"{index}.tif")
    make_raster(noise((2, 40, 30), "uint8"), "bands.tif")
    make_raster(ramp(), "crs.tif", crs="EPSG:32632")
    said = members.disagreements(opened(folder), reprojected=False)
    assert len(said) == 2
    assert "bands.tif: bands 2 instead of 1, type uint8 instead of float32" in said
    assert "crs.tif: CRS EPSG:32632 instead of EPSG:32631" in said
    assert len(members.disagreements(opened(folder), reprojected=True)) == 1, "reprojected, the CRS does not matter"


def test_a_member_that_does_not_open_is_told_apart(folder: Path, make_raster: MakeRaster) -> None:
    make_raster(ramp(), "good.tif")
    (folder / "bad.tif").write_text("no raster")
    bad, good = headers(folder)
    assert isinstance(bad, Unreadable)
    assert bad.error.detail.code == "SOURCE_NOT_A_RASTER"
    assert isinstance(good, Header)


def test_open_water_among_elevation_is_elevation(folder: Path, make_raster: MakeRaster) -> None:
    for index in range(4):
        make_raster(noise((90, 90), "int16", 0, 900, seed=index), f"dem_{index}.tif")
    make_raster(np.kron(noise((9, 9), "int16", 0, 2), np.ones((10, 10), "int16")), "x_water.tif")
    kind = members.decided_kind(opened(folder))
    assert kind is not None
    assert kind.kind == "dem"


def test_a_class_that_is_alone_in_its_tile_is_a_class(folder: Path, make_raster: MakeRaster) -> None:
    for index in range(4):
        make_raster(noise((90, 90), "uint8", 0, 9, seed=index), f"{index}.tif")
    make_raster(noise((90, 90), "uint8", 0, 2), "few.tif")
    kind = members.decided_kind(opened(folder))
    assert kind is not None
    assert kind.kind == "categorical"


def test_members_of_different_kinds_decide_for_themselves(folder: Path, make_raster: MakeRaster) -> None:
    make_raster(noise((3, 50, 50), "uint8"), "rgb.tif", photometric="RGB")
    make_raster(ramp(), "values.tif")
    assert members.decided_kind(opened(folder)) is None


def test_one_kind_that_all_have(folder: Path, make_raster: MakeRaster) -> None:
    for index in range(2):
        make_raster(noise((3, 50, 50), "uint8", seed=index), f"{index}.tif", photometric="RGB")
    kind = members.decided_kind(opened(folder))
    assert kind is not None
    assert kind.kind == "rgb"
