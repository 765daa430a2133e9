"""What validate_raster finds, refuses and warns of."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.control import GroundControlPoint
from rasterio.enums import ColorInterp
from rasterio.rpc import RPC
from rasterio.transform import from_origin

from codegen.messages.raster_report import RasterReport
from codegen.messages.request import RasterOptions
from tests.py.raster.conftest import AT, MakeRaster, noise, ramp
from tests.py.support.samples import sample
from workers import artefacts, raster_source
from workers.errors import TaskCancelled, TaskError
from workers.raster_report import examine
from workers.storage import Storage
from workers.tasks.raster import validate


def report_on(path: Path, source_crs: str | None = None, **options: Any) -> RasterReport:
    with raster_source.opened(path, path.name) as raster:
        return examine(raster, RasterOptions(**options), source_crs, lambda: None)


def refusal(path: Path, source_crs: str | None = None, **options: Any) -> TaskError:
    with pytest.raises(TaskError) as caught:
        report_on(path, source_crs, **options)
    return caught.value


# Refusals


def test_a_text_file_named_tif(folder: Path) -> None:
    path = folder / "text.tif"
    path.write_text("objectid,name\n1,one\n")
    error = refusal(path).detail
    assert (error.code, error.category, error.retryable) == ("SOURCE_NOT_A_RASTER", "data", False)
    assert "text.tif" in error.message
    assert str(folder) not in error.message


def test_a_vrt_by_any_name_is_refused(folder: Path, make_raster: MakeRaster) -> None:
    made = make_raster(ramp())
    path = folder / "pointing.tif"
    path.write_text(
        f'<VRTDataset rasterXSize="30" rasterYSize="40"><VRTRasterBand dataType="Float32" band="1"><SimpleSource>'
        f"<SourceFilename>{made}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    assert refusal(path).detail.code == "SOURCE_FORMAT_NOT_ALLOWED"


@pytest.mark.parametrize("driver", ["HFA", "GPKG"])
def test_formats_that_are_not_read(driver: str, make_raster: MakeRaster) -> None:
    path = make_raster(ramp(dtype="uint8"), f"made.{driver}", driver=driver)
    error = refusal(path).detail
    assert error.code == "SOURCE_FORMAT_NOT_ALLOWED"
    assert "GeoTIFF" in (error.remediation or "")


def test_the_content_decides_not_the_name(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(ramp()).rename(folder / "elevation.png")
    assert report_on(path).source.driver == "GTiff"


@pytest.mark.parametrize("share", [0.02, 0.5, 0.95])
def test_a_truncated_file_is_damaged(share: float, make_raster: MakeRaster) -> None:
    path = make_raster(noise((300, 300), "float32"), compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    error = refusal(path).detail
    assert (error.code, error.category) == ("SOURCE_CORRUPT", "data")
    assert str(path.parent) not in error.message


def test_a_file_that_opens_but_does_not_read(make_raster: MakeRaster) -> None:
    path = make_raster(noise((300, 300), "uint8"), compress="deflate", tiled=True, blockxsize=64, blockysize=64)
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 5000] = bytes(5000)
    path.write_bytes(content)
    with rasterio.open(path) as dataset:
        assert dataset.count == 1
    assert refusal(path).detail.code == "SOURCE_CORRUPT"


def test_no_crs(make_raster: MakeRaster) -> None:
    error = refusal(make_raster(ramp(), crs=None)).detail
    assert (error.code, error.field) == ("CRS_MISSING", "source_crs")


def test_no_crs_but_the_request_says_it(make_raster: MakeRaster) -> None:
    found = report_on(make_raster(ramp(), crs=None), source_crs="EPSG:32631")
    assert (found.grid.crs, found.crs_source) == ("EPSG:32631", "request")


def test_the_request_contradicts_the_file(make_raster: MakeRaster) -> None:
    error = refusal(make_raster(ramp()), source_crs="EPSG:3857").detail
    assert (error.code, error.category, error.value) == ("CRS_CONFLICT", "user", "EPSG:3857")


def test_the_request_says_what_the_file_says(make_raster: MakeRaster) -> None:
    assert report_on(make_raster(ramp()), source_crs="EPSG:32631").crs_source == "file"


def test_a_code_that_is_no_crs(make_raster: MakeRaster) -> None:
    assert refusal(make_raster(ramp(), crs=None), source_crs="EPSG:1").detail.code == "CRS_UNKNOWN"


def with_gcps(dataset: Any) -> None:
    points = [GroundControlPoint(row, column, 500_000 + column * 10, 4_500_000 - row * 10) for row in (0, 39) for column in (0, 29)]
    dataset.gcps = (points, rasterio.CRS.from_epsg(32631))


@pytest.mark.parametrize(
    ("settings", "code"),
    [
        pytest.param({"crs": None, "transform": None}, "RASTER_NOT_GEOREFERENCED", id="nothing"),
        pytest.param({"crs": None, "transform": None, "then": with_gcps}, "RASTER_GCP_ONLY", id="control points only"),
        pytest.param({"transform": AT @ Affine.rotation(30)}, "RASTER_ROTATED", id="rotated"),
        pytest.param({"transform": AT @ Affine.shear(10)}, "RASTER_ROTATED", id="sheared"),
        pytest.param({"transform": Affine(0, 10, 500_000, -10, 0, 4_500_000)}, "RASTER_ROTATED", id="turned by a quarter"),
        pytest.param({"transform": Affine(10, 0, 500_000, 0, 0, 4_500_000)}, "TRANSFORM_INVALID", id="rows of no height"),
        pytest.param({"transform": Affine(math.nan, 0, 500_000, 0, -10, 4_500_000)}, "TRANSFORM_INVALID", id="columns of no number"),
        pytest.param({"crs": "EPSG:4326"}, "RASTER_NOT_ON_EARTH", id="metres said to be degrees"),
        pytest.param({"crs": "EPSG:4978"}, "CRS_NOT_SUPPORTED", id="geocentric"),
        pytest.param({"crs": 'LOCAL_CS["a drawing",UNIT["metre",1]]'}, "CRS_NOT_SUPPORTED", id="engineering"),
        pytest.param({"crs": "+proj=eqc +R=3396190 +units=m +no_defs"}, "CRS_NOT_ON_EARTH", id="Mars"),
        pytest.param({"crs": "+proj=geos +h=35785831 +lon_0=0 +sweep=y"}, "CRS_NOT_SUPPORTED", id="geostationary"),
    ],
)
def test_what_has_no_place_on_earth(settings: dict[str, Any], code: str, make_raster: MakeRaster) -> None:
    error = refusal(make_raster(ramp(), **settings)).detail
    assert error.code == code
    assert error.remediation


@pytest.mark.parametrize("dtype", ["complex64", "int64", "uint64"])
def test_types_that_readers_do_not_read(dtype: str, make_raster: MakeRaster) -> None:
    error = refusal(make_raster(ramp().astype(dtype))).detail
    assert error.code == "DATA_TYPE_NOT_SUPPORTED"


@pytest.mark.parametrize(
    ("data", "settings"),
    [
        pytest.param(np.zeros((20, 20), "uint8"), {"nodata": 0}, id="nodata"),
        pytest.param(np.full((20, 20), np.nan, "float32"), {"nodata": math.nan}, id="declared NaN"),
        pytest.param(np.full((20, 20), np.nan, "float32"), {}, id="undeclared NaN"),
        pytest.param(np.ones((20, 20), "uint8"), {"then": lambda dataset: dataset.write_mask(np.zeros((20, 20), "uint8"))}, id="mask"),
    ],
)
def test_nothing_but_nodata(data: Any, settings: dict[str, Any], make_raster: MakeRaster) -> None:
    assert refusal(make_raster(data, **settings)).detail.code == "RASTER_ALL_NODATA"


@pytest.mark.parametrize("name", ["plain.png", "plain.jpg"])
def test_a_picture_without_a_place(name: str, make_raster: MakeRaster) -> None:
    path = make_raster(noise((3, 20, 20), "uint8"), name, driver={"png": "PNG", "jpg": "JPEG"}[name[-3:]], crs=None, transform=None)
    assert refusal(path).detail.code == "RASTER_NOT_GEOREFERENCED"


def test_a_picture_with_a_world_file(make_raster: MakeRaster) -> None:
    path = make_raster(noise((3, 20, 20), "uint8"), "placed.png", driver="PNG", crs=None, worldfile="YES")
    path.with_name("placed.png.aux.xml").unlink(missing_ok=True)
    assert refusal(path).detail.code == "CRS_MISSING"
    found = report_on(path, source_crs="EPSG:32631")
    assert (found.kind, found.source.driver) == ("rgb", "PNG")


def test_a_truncated_jpeg_is_damaged(make_raster: MakeRaster) -> None:
    path = make_raster(noise((3, 200, 200), "uint8"), "placed.jpg", driver="JPEG", worldfile="YES")
    path.write_bytes(path.read_bytes()[:-3000])
    assert refusal(path, source_crs="EPSG:32631").detail.code == "SOURCE_CORRUPT"


def test_sidecars_that_are_links_are_left_alone(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(ramp())
    secret = make_raster(np.zeros((40, 30), "uint8"), "secret.tif")
    (folder / "made.tif.msk").symlink_to(secret)
    assert not report_on(path).masked


def test_a_mask_beside_the_file_counts(make_raster: MakeRaster) -> None:
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False):
        path = make_raster(ramp(), then=lambda dataset: dataset.write_mask(np.zeros((40, 30), "uint8")))
    assert path.with_name("made.tif.msk").exists()
    assert refusal(path).detail.code == "RASTER_ALL_NODATA"


def rest(folder: Path) -> None:
    """As if nothing had come to a folder, or left it, for an hour."""
    an_hour_ago = time.time() - 3600
    os.utime(folder, (an_hour_ago, an_hour_ago))


def test_a_mask_that_comes_later_counts(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(ramp())
    rest(folder)
    assert not report_on(path).masked
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=False), rasterio.open(path, "r+") as dataset:
        dataset.write_mask(np.where(ramp() < 9, 0, 255).astype("uint8"))
    assert report_on(path).masked
    rest(folder)
    assert report_on(path).masked


def test_a_folder_at_rest_is_listed_once(folder: Path, make_raster: MakeRaster, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [make_raster(ramp(), f"tile_{index}.tif") for index in range(5)]
    rest(folder)
    listing = Mock(side_effect=os.listdir)
    monkeypatch.setattr(os, "listdir", listing)
    for path in paths:
        report_on(path)
    listing.assert_called_once_with(folder)


def test_band_names_must_fit(make_raster: MakeRaster) -> None:
    error = refusal(make_raster(noise((2, 20, 20), "uint8")), band_names=["one"]).detail
    assert (error.code, error.field) == ("BAND_NAMES_DIFFER", "band_names")


@pytest.mark.parametrize(
    ("in_file", "requested", "code"),
    [
        (0.0, 9.0, "NODATA_CONFLICT"),
        (None, 300.0, "NODATA_NOT_REPRESENTABLE"),
        (None, -1.0, "NODATA_NOT_REPRESENTABLE"),
        (None, 0.5, "NODATA_NOT_REPRESENTABLE"),
    ],
)
def test_nodata_that_cannot_be(in_file: float | None, requested: float, code: str, make_raster: MakeRaster) -> None:
    path = make_raster(noise((20, 20), "uint8"), nodata=in_file)
    assert refusal(path, nodata=requested).detail.code == code


def holed(value: float, shape: tuple[int, int] = (40, 30)) -> Any:
    """A ramp with one pixel of another value."""
    data = ramp(*shape)
    data[0, 0] = value
    return data


def only_some(share: float) -> Any:
    """Two bands, of which the second holds data in a share of its pixels."""
    data = np.ones((2, 100, 100), "uint8")
    data[1] = 0
    data[1].flat[: int(10_000 * share)] = 1
    return data


def colours_twice(dataset: Any) -> None:
    dataset.colorinterp = [ColorInterp.red, ColorInterp.red, ColorInterp.blue]


def second_page(path: Path) -> None:
    with rasterio.open(path) as first:
        profile, data = first.profile, first.read()
    with rasterio.open(path, "w", **profile | {"APPEND_SUBDATASET": "YES"}) as second:
        second.write(data)


@pytest.mark.parametrize(
    ("data", "settings", "options", "code"),
    [
        pytest.param(holed(-9999), {}, {}, "NODATA_MISSING", id="undeclared nodata"),
        pytest.param(ramp(dtype="uint16"), {"nodata": 500}, {}, "NODATA_INSIDE_RANGE", id="nodata in the midst of the values"),
        pytest.param(holed(math.nan), {"nodata": -9999}, {}, "NAN_BESIDE_NODATA", id="NaN beside nodata"),
        pytest.param(holed(math.inf), {}, {}, "INFINITE_VALUES", id="infinity"),
        pytest.param(holed(1e35), {}, {}, "ABSURD_VALUES", id="beyond measure"),
        pytest.param(ramp() * 100, {}, {"kind": "dem"}, "ABSURD_VALUES", id="higher than any mountain"),
        pytest.param(ramp() * 100, {}, {"kind": "vegetation_index"}, "ABSURD_VALUES", id="no index"),
        pytest.param(only_some(0.0), {"nodata": 0}, {}, "BAND_ALL_NODATA", id="an empty band"),
        pytest.param(only_some(0.005), {"nodata": 0}, {}, "BAND_NEARLY_EMPTY", id="a nearly empty band"),
        pytest.param(noise((3, 20, 20), "uint8"), {"then": colours_twice}, {}, "COLOURS_REPEATED", id="red twice"),
        pytest.param(ramp(), {"transform": from_origin(500_000, 4_500_000, 10, -10)}, {}, "SOUTH_UP", id="south up"),
        pytest.param(ramp(), {"crs": "+proj=laea +lat_0=47.123 +lon_0=8.5"}, {}, "CRS_WITHOUT_CODE", id="a CRS of its own"),
    ],
)
def test_what_is_doubtful_is_a_warning_and_strict_refuses_it(
    data: Any, settings: dict[str, Any], options: dict[str, Any], code: str, make_raster: MakeRaster
) -> None:
    path = make_raster(data, **settings)
    warnings = report_on(path, **options).warnings
    assert [warning.code for warning in warnings] == [code]
    assert warnings[0].message
    error = refusal(path, strict=True, **options).detail
    assert error.code == "STRICT_WARNINGS"
    assert error.context is not None
    assert [warning["code"] for warning in error.context["warnings"]] == [code]


def test_a_file_of_several_images(make_raster: MakeRaster) -> None:
    path = make_raster(ramp())
    second_page(path)
    assert [warning.code for warning in report_on(path).warnings] == ["SEVERAL_IMAGES"]


def with_rpcs(dataset: Any) -> None:
    one = [1.0, *[0.0] * 19]
    dataset.rpcs = RPC(
        height_off=0, height_scale=100, lat_off=45, lat_scale=1, line_den_coeff=one, line_num_coeff=one, line_off=20, line_scale=20,
        long_off=5, long_scale=1, samp_den_coeff=one, samp_num_coeff=one, samp_off=15, samp_scale=15,
    )  # fmt: skip


def test_a_sensor_model_only(make_raster: MakeRaster) -> None:
    assert refusal(make_raster(ramp(), crs=None, transform=None, then=with_rpcs)).detail.code == "RASTER_RPC_ONLY"


def test_a_zip_of_several_rasters(folder: Path, make_raster: MakeRaster) -> None:
    for name in ("a.tif", "b.tif"):
        make_raster(ramp(), name)
    with zipfile.ZipFile(folder / "both.zip", "w") as archive:
        for name in ("a.tif", "b.tif"):
            archive.write(folder / name, name)
    with Storage.at(folder / "out").open_source(f"{folder}/both.zip", [str(folder)]) as source, pytest.raises(TaskError) as caught:
        raster_source.find(source, "both.zip")
    assert caught.value.detail.code == "SOURCE_AMBIGUOUS"


def test_strict_turns_warnings_into_refusals(make_raster: MakeRaster) -> None:
    data = ramp()
    data[0, 0] = -9999
    path = make_raster(data)
    assert [warning.code for warning in report_on(path).warnings] == ["NODATA_MISSING"]
    error = refusal(path, strict=True).detail
    assert error.code == "STRICT_WARNINGS"
    assert "-9999" in error.message
    assert report_on(path, strict=True, nodata=-9999.0).warnings == []


def test_a_cancelled_task_stops_in_the_middle(make_raster: MakeRaster) -> None:
    def cancelled() -> None:
        raise TaskCancelled("cancelled")

    path = make_raster(ramp())
    with raster_source.opened(path, path.name) as raster, pytest.raises(TaskCancelled):
        examine(raster, RasterOptions(), None, cancelled)


# What is found


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_statistics_are_those_of_numpy(dtype: str, make_raster: MakeRaster) -> None:
    data = noise((2, 700, 530), dtype, low=-100 if dtype[0] in "if" else 0, high=120)
    nodata = 7
    data[:, 5:90, 40:200] = nodata
    found = report_on(make_raster(data, nodata=nodata, tiled=True, blockxsize=128, blockysize=128))
    for band, values in zip(found.bands, data, strict=True):
        valid = values[values != nodata].astype("float64")
        assert (band.minimum, band.maximum) == (valid.min(), valid.max())
        assert band.mean == pytest.approx(valid.mean(), rel=1e-9)
        assert band.stddev == pytest.approx(valid.std(), rel=1e-9)
        assert band.valid_percent == pytest.approx(100 * valid.size / values.size)


def test_large_offsets_keep_their_digits(make_raster: MakeRaster) -> None:
    data = 1e9 + noise((600, 600), "float64", 0, 1)
    band = report_on(make_raster(data)).bands[0]
    assert band.stddev == pytest.approx(data.std(), rel=1e-6)


def test_nan_is_no_data_whether_declared_or_not(make_raster: MakeRaster) -> None:
    data = ramp()
    data[:10] = np.nan
    data[10, 0] = np.inf
    found = report_on(make_raster(data))
    assert (found.nodata, found.nodata_source) == ("nan", "pixels")
    assert found.bands[0].maximum == data[11:].max()
    assert found.bands[0].valid_percent == pytest.approx(100 * (data.size - 301) / data.size)


def test_alpha_and_mask_are_no_data(make_raster: MakeRaster) -> None:
    data = noise((4, 40, 30), "uint8", 1)
    data[3, :20], data[3, 20:] = 0, 255
    found = report_on(make_raster(data, photometric="RGB", alpha="YES"))
    assert (found.kind, found.masked) == ("rgba", True)
    assert found.bands[0].valid_percent == 50
    assert found.bands[0].mean == pytest.approx(data[0, 20:].mean())


def test_the_report_survives_json(make_raster: MakeRaster) -> None:
    data = ramp()
    data[0] = np.nan
    found = report_on(make_raster(data, nodata=math.nan, crs="+proj=sterea +lat_0=52 +lon_0=5 +ellps=WGS84"))
    assert RasterReport.model_validate(json.loads(json.dumps(found.model_dump(), allow_nan=False))) == found
    assert found.grid.crs is None
    assert [warning.code for warning in found.warnings] == ["CRS_WITHOUT_CODE"]


def test_the_checksum_is_a_multihash_of_the_file(make_raster: MakeRaster) -> None:
    path = make_raster(ramp())
    assert report_on(path).source.checksum == "1220" + hashlib.sha256(path.read_bytes()).hexdigest()


def test_the_files_own_time(make_raster: MakeRaster) -> None:
    path = make_raster(ramp(), then=lambda dataset: dataset.update_tags(TIFFTAG_DATETIME="2021:03:04 05:06:07"))
    assert report_on(path).datetime == "2021-03-04T05:06:07+00:00"
    assert report_on(make_raster(ramp(), then=lambda dataset: dataset.update_tags(TIFFTAG_DATETIME="0000:00:00 00:00:00"))).datetime is None


def test_band_names_come_from_the_request_then_the_file(make_raster: MakeRaster) -> None:
    path = make_raster(noise((2, 20, 20), "uint8"), then=lambda dataset: dataset.set_band_description(1, "red edge"))
    assert [band.name for band in report_on(path).bands] == ["red edge", "b2"]
    assert [band.name for band in report_on(path, band_names=["a", "b"]).bands] == ["a", "b"]


# Kinds


def palette(dataset: Any) -> None:
    dataset.write_colormap(1, {0: (0, 0, 0, 255), 1: (200, 10, 10, 255)})


def colored(*names: str) -> Callable[[Any], None]:
    def color(dataset: Any) -> None:
        dataset.colorinterp = [ColorInterp[name] for name in names]

    return color


@pytest.mark.parametrize(
    ("data", "settings", "kind"),
    [
        pytest.param(noise((3, 50, 50), "uint8"), {"photometric": "RGB"}, "rgb", id="red, green, blue"),
        pytest.param(noise((4, 50, 50), "uint16", 1), {"photometric": "RGB", "alpha": "YES"}, "rgba", id="with alpha"),
        pytest.param(
            noise((4, 50, 50), "uint16"), {"then": colored("blue", "green", "red", "undefined")}, "multispectral", id="with infrared"
        ),
        pytest.param(noise((3, 50, 50), "uint8"), {"photometric": "MINISBLACK"}, "multispectral", id="three bands without colours"),
        pytest.param(noise((50, 50), "uint8", 0, 2), {"then": palette}, "categorical", id="colour table"),
        pytest.param(noise((80, 80), "uint8", 0, 9), {}, "categorical", id="few integers"),
        pytest.param(noise((80, 80), "int16", 0, 9), {"name": "elevation_n10.tif"}, "dem", id="few integers called elevation"),
        pytest.param(noise((80, 80), "uint8", 0, 2), {}, "mask", id="zeros and ones"),
        pytest.param(np.zeros((80, 80), "int16"), {}, "continuous", id="one value tells nothing"),
        pytest.param(noise((80, 80), "uint16", 0, 9000), {}, "continuous", id="many integers"),
        pytest.param(ramp(), {"name": "N48E006_dem.tif"}, "dem", id="called dem"),
        pytest.param(ramp(), {"name": "demography.tif"}, "continuous", id="not every dem is elevation"),
        pytest.param(ramp() * 100, {"name": "dem.tif"}, "continuous", id="called dem but beyond the relief of the Earth"),
        pytest.param(ramp(), {}, "continuous", id="floating point"),
        pytest.param(ramp() / 1200, {"name": "S2_ndvi.tif"}, "vegetation_index", id="called ndvi"),
        pytest.param(noise((80, 80), "int16", -9000, 9000), {"name": "MOD13 EVI.tif"}, "vegetation_index", id="in ten thousandths"),
        pytest.param(ramp(), {"name": "ndvi.tif"}, "continuous", id="called ndvi but beyond its range"),
    ],
)
def test_the_kind_is_inferred(data: Any, settings: dict[str, Any], kind: str, make_raster: MakeRaster) -> None:
    found = report_on(make_raster(data, **settings))
    assert (found.kind, found.kind_source) == (kind, "inferred"), found.kind_reason


def test_the_request_overrules_the_kind(make_raster: MakeRaster) -> None:
    found = report_on(make_raster(noise((80, 80), "uint8", 0, 9)), kind="continuous")
    assert (found.kind, found.kind_source) == ("continuous", "request")


# Distrust


def test_reading_leaves_a_raster_its_state_and_writing_does_not(make_raster: MakeRaster) -> None:
    path = make_raster(ramp())
    with raster_source.opened(path, path.name) as raster:
        before = raster.state()
        report = examine(raster, RasterOptions(), None, lambda: None, checksum="1220ab")
        assert (raster.state(), report.source.checksum) == (before, "1220ab")
        again = path.with_name("again.tif")
        shutil.copy2(path, again)
        again.replace(path)  # the same bytes with the same times, and another file
        replaced = raster.state()
        with path.open("ab") as file:
            file.write(b" ")
        assert len({before, replaced, raster.state()}) == 3


def test_a_raster_that_is_written_to_while_it_is_examined(make_raster: MakeRaster, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make_raster(ramp())

    size = path.stat().st_size

    def meanwhile() -> None:
        if path.stat().st_size == size:
            with path.open("ab") as file:
                file.write(b" ")

    wanted = SimpleNamespace(**dict(RasterOptions()), source_path=path.name, source_roots=[], source_crs=None)
    task = Mock(parameters=wanted, check=meanwhile)
    task.storage.open_source.return_value = nullcontext(SimpleNamespace(path=path, name=path.name, archive=None))
    monkeypatch.setattr(artefacts, "equal_requests", lambda *_: [])
    with pytest.raises(TaskError) as caught:
        validate(task)
    assert caught.value.detail.code == "SOURCE_CHANGED"
    task.effects.assert_not_called()


# Real files


@pytest.mark.parametrize(
    ("name", "kind", "crs", "bands"),
    [
        ("L7_ETMs.tif", "multispectral", "EPSG:31985", 6),
        ("lc.tif", "categorical", "EPSG:5070", 1),
        ("olinda_dem_utm25s.tif", "dem", None, 1),
    ],
)
def test_real_files(name: str, kind: str, crs: str | None, bands: int) -> None:
    found = report_on(sample(name))
    assert (found.kind, found.grid.crs, len(found.bands)) == (kind, crs, bands)
    with rasterio.open(sample(name)) as dataset:
        for index, band in enumerate(found.bands, start=1):
            values = dataset.read(index).astype("float64")
            assert band.mean == pytest.approx(values.mean())
            assert band.stddev == pytest.approx(values.std())


def test_landsat_of_olinda_lies_in_brazil() -> None:
    west, south, east, north = report_on(sample("L7_ETMs.tif")).bbox
    assert (west, south, east, north) == pytest.approx((-34.9166, -8.0409, -34.8260, -7.9498), abs=1e-4)
