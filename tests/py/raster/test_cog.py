"""What becomes of a raster: a strictly valid COG with the source's pixels, made as its kind wants it."""

from __future__ import annotations

import json
import math
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from rasterio.enums import ColorInterp, MaskFlags, Resampling
from rasterio.warp import transform_bounds
from rio_cogeo.cogeo import cog_validate

from codegen.messages.raster_report import Profile, RasterReport
from codegen.messages.request import RasterOptions
from tests.py.raster.conftest import MakeRaster, noise, ramp
from tests.py.support.samples import sample
from workers import cog, raster_classes, raster_profile
from workers.errors import TaskError
from workers.raster_report import examine
from workers.raster_source import opened


class Converted:
    """A raster on its way through: report, profile, file, what reading it back has shown."""

    def __init__(self, path: Path, folder: Path, source_crs: str | None = None, **options: Any) -> None:
        self.source = path
        self.options = RasterOptions(**options)
        self.path = folder / "cog" / "out.tif"
        self.path.parent.mkdir(exist_ok=True)
        with opened(path, path.name) as raster:
            self.report: RasterReport = examine(raster, self.options, source_crs, lambda: None)
            self.profile: Profile = raster_profile.choose(self.report, self.options)
            cog.write(raster, self.report, self.options, self.profile, self.path)
        self.made = self.verified()

    def verified(self, source: Path | None = None, profile: Profile | None = None) -> cog.Made:
        """What was made, held against its source, or another; by its profile, or another."""
        with opened(source or self.source, (source or self.source).name) as raster:
            return cog.verify(raster, self.report, self.options, profile or self.profile, self.path, lambda: None)

    def read(self, overview: int | None = None) -> Any:
        options = {} if overview is None else {"overview_level": overview}
        with rasterio.open(self.path, **options) as dataset:
            return dataset.read()


def assert_same_pixels(one: Converted) -> None:
    with rasterio.open(one.source) as source:
        assert np.array_equal(source.read(), one.read(), equal_nan=True)


def assert_valid(one: Converted) -> None:
    assert cog_validate(one.path, strict=True, quiet=True) == (True, [], [])
    assert [file.name for file in one.path.parent.iterdir() if not file.name.endswith(".aux.xml")] == ["out.tif"]


@pytest.mark.parametrize("name", ["L7_ETMs.tif", "lc.tif", "olinda_dem_utm25s.tif"])
def test_real_files_come_through_pixel_by_pixel(name: str, folder: Path) -> None:
    one = Converted(sample(name), folder)
    assert_valid(one)
    assert_same_pixels(one)
    assert one.made.largest_error == 0
    with rasterio.open(one.source) as source, rasterio.open(one.path) as made:
        assert made.crs == source.crs
        assert made.transform.almost_equals(source.transform)
        assert made.nodata == source.nodata


@pytest.mark.parametrize("dtype", ["uint8", "int8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
@pytest.mark.parametrize("compression", ["deflate", "zstd", "lzw", "lerc", "none"])
def test_every_type_and_lossless_compression(dtype: str, compression: str, folder: Path, make_raster: MakeRaster) -> None:
    data = noise((2, 700, 600), dtype)
    one = Converted(
        make_raster(data, nodata=3, then=lambda dataset: dataset.set_band_description(2, "two")), folder, compression=compression
    )
    assert_valid(one)
    assert_same_pixels(one)
    with rasterio.open(one.path) as made:
        assert (made.compression.name if made.compression else "none") == compression
        assert made.block_shapes == [(512, 512)] * 2
        assert made.nodata == 3
        assert made.descriptions[1] == "two"
        assert made.overviews(1) == [2]
    for band, found in zip(data, one.made.bands, strict=True):
        assert found.mean == pytest.approx(band[band != 3].astype("float64").mean())


def test_the_palette_is_kept_and_overviews_hold_classes_only(folder: Path, make_raster: MakeRaster) -> None:
    classes = np.kron(np.random.default_rng(3).choice(np.array([1, 5, 9], "uint8"), (150, 150)), np.ones((7, 7), "uint8"))
    colors = {1: (255, 0, 0, 255), 5: (0, 255, 0, 255), 9: (0, 0, 255, 255)}
    one = Converted(make_raster(classes, then=lambda dataset: dataset.write_colormap(1, colors)), folder)
    assert_valid(one)
    assert_same_pixels(one)
    assert (one.profile.kind, one.profile.overview_resampling, one.profile.predictor) == ("categorical", "mode", False)
    with rasterio.open(one.path) as made:
        assert made.colorinterp == (ColorInterp.palette,)
        assert {value: made.colormap(1)[value] for value in colors} == colors
    assert set(np.unique(one.read(overview=0))) <= {1, 5, 9}


def test_the_palette_of_a_real_file_is_kept(folder: Path) -> None:
    one = Converted(sample("lc.tif"), folder)
    with rasterio.open(one.source) as source, rasterio.open(one.path) as made:
        assert source.colormap(1) == made.colormap(1)


def test_continuous_overviews_are_means_not_the_sources_own(folder: Path, make_raster: MakeRaster) -> None:
    data = noise((1100, 1100), "float32")
    one = Converted(make_raster(data, then=lambda dataset: dataset.build_overviews([2, 4], Resampling.nearest)), folder)
    assert np.allclose(one.read(overview=0)[0], data.reshape(550, 2, 550, 2).mean((1, 3)), rtol=1e-5)


def test_a_small_raster_does_not_inherit_overviews(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(ramp(300, 300), then=lambda dataset: dataset.build_overviews([2, 4], Resampling.nearest)), folder)
    assert one.made.overviews == []


def test_resampling_can_be_asked_for(folder: Path, make_raster: MakeRaster) -> None:
    data = noise((1100, 1100), "float32")
    one = Converted(make_raster(data), folder, resampling="nearest")
    assert one.profile.asked == ["resampling"]
    assert set(np.unique(one.read(overview=0))) <= set(np.unique(data))


def test_colours_are_lossless_unless_asked_otherwise(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(noise((3, 600, 600), "uint8"), photometric="RGB")
    one = Converted(path, folder)
    assert (one.profile.kind, one.profile.compression, one.profile.lossless) == ("rgb", "deflate", True)
    assert_same_pixels(one)


def smooth(height: int = 700, width: int = 600) -> Any:
    rows, columns = np.mgrid[0:height, 0:width]
    return np.stack([128 + 100 * np.sin(rows / 90 + band) * np.cos(columns / 70) for band in range(3)]).astype("uint8")


@pytest.mark.parametrize("compression", ["jpeg", "webp"])
def test_lossy_compression_of_colours(compression: str, folder: Path, make_raster: MakeRaster) -> None:
    data = smooth()
    one = Converted(make_raster(data, photometric="RGB"), folder, compression=compression)
    assert_valid(one)
    assert (one.profile.lossless, one.profile.quality) == (False, 85)
    assert one.made.largest_error is not None
    assert one.made.largest_error < 30
    assert np.abs(one.read()[:3].astype(int) - data).mean() < 3
    assert one.path.stat().st_size < one.source.stat().st_size / 5


def test_lossy_compression_turns_nodata_into_a_mask(folder: Path, make_raster: MakeRaster) -> None:
    data = np.maximum(smooth(), 1)
    data[:, 100:300, 100:300] = 0
    one = Converted(make_raster(data, photometric="RGB", nodata=0), folder, compression="jpeg")
    assert_valid(one)
    assert one.profile.alpha == "mask"
    with rasterio.open(one.path) as made:
        assert (made.count, made.nodata) == (3, None)
        assert made.mask_flag_enums[0] == [MaskFlags.per_dataset]
        assert np.array_equal(made.dataset_mask() == 0, (data == 0).all(axis=0))
    assert one.made.bands[0].valid_percent == pytest.approx(100 * (1 - 40_000 / data[0].size))


def test_jpeg_turns_alpha_into_a_mask(folder: Path, make_raster: MakeRaster) -> None:
    data = np.concatenate([smooth(), np.full((1, 700, 600), 255, "uint8")])
    data[3, :100] = 0
    one = Converted(make_raster(data, photometric="RGB", alpha="YES"), folder, compression="jpeg")
    assert_valid(one)
    with rasterio.open(one.path) as made:
        assert made.count == 3
        assert np.array_equal(made.dataset_mask() == 0, data[3] == 0)


@pytest.mark.parametrize(
    ("data", "compression", "settings"),
    [
        pytest.param(noise((3, 50, 50), "uint16"), "jpeg", {"photometric": "RGB"}, id="16 bits"),
        pytest.param(noise((50, 50), "float32"), "webp", {}, id="floating point"),
        pytest.param(noise((6, 50, 50), "uint8"), "jpeg", {}, id="many bands"),
        pytest.param(noise((50, 50), "uint8", 0, 2), "jpeg", {}, id="mask"),
        pytest.param(noise((50, 50), "uint8"), "webp", {}, id="one band"),
    ],
)
def test_lossy_compression_where_it_cannot_be(
    data: Any, compression: str, settings: dict[str, Any], folder: Path, make_raster: MakeRaster
) -> None:
    with pytest.raises(TaskError) as caught:
        Converted(make_raster(data, **settings), folder, compression=compression)
    assert (caught.value.detail.code, caught.value.detail.category) == ("COMPRESSION_NOT_POSSIBLE", "user")


def test_a_kind_that_cannot_be(folder: Path, make_raster: MakeRaster) -> None:
    with pytest.raises(TaskError) as caught:
        Converted(make_raster(ramp()), folder, kind="rgb")
    assert caught.value.detail.code == "KIND_NOT_POSSIBLE"


def test_colours_are_set_where_the_request_names_them(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(noise((3, 50, 50), "uint8"), photometric="MINISBLACK"), folder, kind="rgb")
    assert_same_pixels(one)
    with rasterio.open(one.path) as made:
        assert [color.name for color in made.colorinterp] == ["red", "green", "blue"]


def test_an_internal_mask_is_kept(folder: Path, make_raster: MakeRaster) -> None:
    mask = np.full((40, 30), 255, "uint8")
    mask[:7] = 0
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True):
        path = make_raster(ramp(), then=lambda dataset: dataset.write_mask(mask))
    one = Converted(path, folder)
    assert_valid(one)
    assert_same_pixels(one)
    with rasterio.open(one.path) as made:
        assert np.array_equal(made.dataset_mask(), mask)


def test_what_the_request_adds_to_the_header(folder: Path, make_raster: MakeRaster) -> None:
    data = noise((2, 40, 30), "int16")
    one = Converted(make_raster(data, crs=None), folder, "EPSG:32631", nodata=-1.0, band_names=["near", "far"])
    assert_valid(one)
    assert_same_pixels(one)
    with rasterio.open(one.path) as made:
        assert (made.crs.to_epsg(), made.nodata, made.descriptions) == (32631, -1, ("near", "far"))
    assert [band.name for band in one.made.bands] == ["near", "far"]


def test_undeclared_nan_is_declared(folder: Path, make_raster: MakeRaster) -> None:
    data = ramp()
    data[3:9] = np.nan
    one = Converted(make_raster(data), folder)
    assert_same_pixels(one)
    with rasterio.open(one.path) as made:
        assert math.isnan(made.nodata)


def test_scale_offset_units_and_tags_are_kept(folder: Path, make_raster: MakeRaster) -> None:
    def describe(dataset: Any) -> None:
        dataset.scales, dataset.offsets, dataset.units = (0.1,), (-50.0,), ("metre",)
        dataset.update_tags(ACQUIRED_BY="a sensor")

    one = Converted(make_raster(noise((40, 30), "int16"), then=describe), folder)
    with rasterio.open(one.path) as made:
        assert (made.scales, made.offsets, made.units, made.tags()["ACQUIRED_BY"]) == ((0.1,), (-50.0,), ("metre",), "a sensor")
    band = one.made.bands[0]
    assert (band.scale, band.offset, band.unit) == (0.1, -50.0, "metre")


CLASSES = """<PAMDataset><PAMRasterBand band="1"><CategoryNames>
<Category>none</Category><Category>water</Category><Category>wood</Category><Category>town</Category></CategoryNames>
<GDALRasterAttributeTable tableType="thematic"><FieldDefn index="0"><Name>Value</Name><Type>0</Type><Usage>5</Usage></FieldDefn>
<FieldDefn index="1"><Name>Class</Name><Type>2</Type><Usage>2</Usage></FieldDefn>
<FieldDefn index="2"><Name>Red</Name><Type>0</Type><Usage>6</Usage></FieldDefn>
<FieldDefn index="3"><Name>Green</Name><Type>0</Type><Usage>7</Usage></FieldDefn>
<FieldDefn index="4"><Name>Blue</Name><Type>0</Type><Usage>8</Usage></FieldDefn>
<Row index="0"><F>1</F><F>open water</F><F>0</F><F>0</F><F>255</F></Row></GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"""
NAMED = {0: "none", 1: "open water", 2: "wood", 3: "town"}


@pytest.mark.parametrize("target_crs", [None, "EPSG:4326"])
def test_names_of_classes_and_their_table_are_kept(target_crs: str | None, folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(noise((700, 600), "uint8", 0, 4))
    path.with_name(f"{path.name}.aux.xml").write_text(CLASSES)
    one = Converted(path, folder, target_crs=target_crs)
    assert_valid(one)
    assert (one.report.kind, one.report.kind_reason) == ("categorical", "its values have names")
    assert {found.value: found.name for found in one.made.classes} == NAMED
    assert one.made.classes[1].color == "0000ff"
    with rasterio.open(one.path) as made:
        assert {found.value: found.name for found in raster_classes.of(made)} == NAMED, "for whoever opens it"
    assert [file.name for file in sorted(one.path.parent.iterdir())] == ["out.tif", "out.tif.aux.xml"]


def test_lost_names_are_noticed(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(noise((700, 600), "uint8", 0, 4))
    path.with_name(f"{path.name}.aux.xml").write_text(CLASSES)
    one = Converted(path, folder)
    one.path.with_name("out.tif.aux.xml").unlink()
    with pytest.raises(TaskError, match="names of its classes"):
        one.verified()


# Tiers


def colours(bands: int = 3) -> Any:
    steps = np.linspace(0, 200, 640)
    return np.stack([np.add.outer(steps, steps)[:600] / 2 + 10 * band for band in range(bands)]).astype("uint8")


@pytest.mark.parametrize(
    ("tier", "data", "settings", "compression", "lossless"),
    [
        pytest.param("visualization", colours(), {"photometric": "RGB"}, "jpeg", False, id="colours to look at"),
        pytest.param("visualization", colours(4), {"photometric": "RGB", "alpha": "YES"}, "webp", False, id="with transparency"),
        pytest.param("visualization", ramp(600, 600), {}, "deflate", True, id="measurements are never changed"),
        pytest.param("visualization", noise((600, 600), "uint8", 0, 5), {}, "deflate", True, id="nor classes"),
        pytest.param("analysis", colours(), {"photometric": "RGB"}, "deflate", True, id="colours to compute with"),
        pytest.param("archive", colours(), {"photometric": "RGB"}, "deflate", True, id="colours to keep"),
    ],
)
def test_a_tier_decides_on_the_compression(
    tier: str, data: Any, settings: dict[str, Any], compression: str, lossless: bool, folder: Path, make_raster: MakeRaster
) -> None:
    one = Converted(make_raster(data, **settings), folder, tier=tier)
    assert_valid(one)
    assert (one.profile.tier, one.profile.compression, one.profile.lossless) == (tier, compression, lossless)
    with rasterio.open(one.path) as made:
        assert made.compression.name.lower().removeprefix("ycbcr_") in (compression, "ycbcr jpeg")
    if lossless:
        assert one.made.largest_error == 0
    else:
        assert one.made.mean_error is not None
        assert 0 <= one.made.mean_error < 3
        assert one.profile.mean_error_bound == 12


def test_an_archive_is_smaller(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(np.add.outer(ramp(1, 1500)[0], ramp(1, 1500)[0] ** 1.5).astype("float32"))
    sizes = {tier: Converted(path, folder, tier=tier).path.stat().st_size for tier in ("analysis", "archive")}
    assert sizes["archive"] < sizes["analysis"]


def test_every_choice_can_be_overruled_and_is_recorded(folder: Path, make_raster: MakeRaster) -> None:
    choices: dict[str, Any] = {
        "tier": "visualization", "kind": "rgb", "compression": "zstd", "predictor": False, "blocksize": 256, "bigtiff": "yes",
        "resampling": "cubic", "warp_resampling": "lanczos", "target_crs": "EPSG:3857", "band_names": ["r", "g", "b"], "nodata": 0.0,
    }  # fmt: skip
    one = Converted(make_raster(colours(), photometric="RGB"), folder, **choices)
    assert_valid(one)
    assert sorted(one.profile.asked) == sorted(choices)
    profile = one.profile
    assert (profile.compression, profile.predictor, profile.blocksize, profile.bigtiff) == ("zstd", False, 256, "yes")
    assert (profile.overview_resampling, profile.warp_resampling) == ("cubic", "lanczos")
    with rasterio.open(one.path) as made:
        assert (made.compression.name, made.block_shapes[0]) == ("zstd", (256, 256))
    assert one.path.read_bytes()[2:4] == b"+\x00", "BigTIFF"


def test_an_error_is_bounded_where_one_was_allowed(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(noise((600, 600), "float32")), folder, compression="lerc", max_error=0.01)
    assert_valid(one)
    assert not one.profile.lossless
    assert one.made.largest_error is not None
    assert 0 < one.made.largest_error <= 0.01001
    stricter = one.profile.model_copy(update={"max_error": 0.001})
    with pytest.raises(TaskError, match="differ by up to"):
        one.verified(profile=stricter)


def test_pixels_that_differ_too_much_are_refused(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(colours(), photometric="RGB"), folder, tier="visualization", quality=60)
    assert (one.profile.quality, one.profile.mean_error_bound) == (60, 24)
    tight = one.profile.model_copy(update={"mean_error_bound": 0.01})
    with pytest.raises(TaskError, match="on average"):
        one.verified(profile=tight)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"max_error": 0.1}, "MAX_ERROR_NOT_POSSIBLE"),
        ({"max_error": 0.1, "compression": "lerc", "nodata": -1.0}, "MAX_ERROR_NOT_POSSIBLE"),
        ({"max_error": 0.1, "compression": "lerc", "kind": "categorical"}, "MAX_ERROR_NOT_POSSIBLE"),
        ({"quality": 50}, "QUALITY_NOT_POSSIBLE"),
        ({"predictor": True, "compression": "none"}, "PREDICTOR_NOT_POSSIBLE"),
    ],
)
def test_choices_that_contradict_each_other(options: dict[str, Any], code: str, folder: Path, make_raster: MakeRaster) -> None:
    with pytest.raises(TaskError) as caught:
        Converted(make_raster(ramp()), folder, **options)
    assert caught.value.detail.code == code


# Reprojection


@pytest.mark.parametrize("name", ["L7_ETMs.tif", "lc.tif", "olinda_dem_utm25s.tif"])
def test_real_files_reprojected(name: str, folder: Path) -> None:
    one = Converted(sample(name), folder, target_crs="EPSG:3857")
    assert_valid(one)
    assert one.made.grid.crs == "EPSG:3857"
    assert one.profile.warp_resampling
    assert one.made.footprint.bbox == pytest.approx(one.report.bbox, abs=0.05)
    with rasterio.open(one.path) as made:
        valid = made.dataset_mask() > 0
        assert 0 < valid.mean() <= 1
        if name == "lc.tif":
            assert made.colorinterp == (ColorInterp.palette,)
            with rasterio.open(one.source) as source:
                assert set(np.unique(made.read(1)[valid])) <= set(np.unique(source.read(1)))


@pytest.mark.parametrize(
    ("data", "settings", "nodata", "alpha"),
    [
        pytest.param(ramp(), {}, "nan", None, id="floats: NaN"),
        pytest.param(ramp(), {"nodata": -9999}, -9999.0, None, id="declared: kept"),
        pytest.param(noise((40, 30), "int16"), {}, -32768.0, None, id="signed: the least value"),
        pytest.param(noise((40, 30), "uint8"), {}, 255.0, None, id="unsigned: the greatest value"),
        pytest.param(np.arange(1200).reshape(40, 30).astype("uint8"), {}, None, "added", id="no value is free: alpha"),
        pytest.param(noise((3, 40, 30), "uint8"), {"photometric": "RGB"}, None, "added", id="colours: alpha"),
    ],
)
def test_what_reprojecting_leaves_empty(
    data: Any, settings: dict[str, Any], nodata: Any, alpha: str | None, folder: Path, make_raster: MakeRaster
) -> None:
    one = Converted(make_raster(data, **settings), folder, target_crs="EPSG:3035")
    assert_valid(one)
    assert (one.profile.nodata, one.profile.alpha) == (nodata, alpha)
    with rasterio.open(one.path) as made:
        assert (made.dataset_mask() == 0).any(), "the grid is turned, so its corners are empty"
    with rasterio.open(one.source) as source:
        highest = float(source.read(1).max())
    assert one.made.bands[0].maximum is not None
    assert one.made.bands[0].maximum < highest + 10, "cubic resampling overshoots a little; nodata would be far off"


def test_the_target_is_where_the_source_was(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(ramp(400, 300)), folder, target_crs="EPSG:4326")
    with rasterio.open(one.source) as source:
        expected = transform_bounds(source.crs, "EPSG:4326", *source.bounds)
    assert one.made.grid.bounds == pytest.approx(expected, abs=2e-4)


def test_reprojecting_to_the_same_crs_is_nothing(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(ramp()), folder, target_crs="EPSG:32631")
    assert one.profile.target_crs is None
    assert_same_pixels(one)


@pytest.mark.parametrize(
    ("code", "refused"), [("EPSG:1", "CRS_UNKNOWN"), ("EPSG:4978", "CRS_NOT_SUPPORTED"), ("EPSG:5773", "CRS_NOT_SUPPORTED")]
)
def test_targets_that_are_none(code: str, refused: str, folder: Path, make_raster: MakeRaster) -> None:
    with pytest.raises(TaskError) as caught:
        Converted(make_raster(ramp()), folder, target_crs=code)
    assert (caught.value.detail.code, caught.value.detail.field) == (refused, "target_crs")


# Distrust


def test_a_source_that_changed_since(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(ramp())
    options = RasterOptions()
    with opened(path, path.name) as raster:
        report = examine(raster, options, None, lambda: None)
    make_raster(ramp(50, 50))
    with opened(path, path.name) as raster, pytest.raises(TaskError) as caught:
        cog.write(raster, report, options, raster_profile.choose(report, options), folder / "out.tif")
    assert caught.value.detail.code == "SOURCE_CHANGED"


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """No file of this process can grow beyond that, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_cog_that_cannot_be_written(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(noise((600, 600), "float32"))
    options = RasterOptions()
    with opened(path, path.name) as raster:
        report = examine(raster, options, None, lambda: None)
        profile = raster_profile.choose(report, options)
        for target, size in ((folder / "none" / "out.tif", resource.RLIM_INFINITY), (folder / "out.tif", 100_000)):
            with pytest.raises(TaskError) as caught, files_of_at_most(size):
                cog.write(raster, report, options, profile, target)
            said = caught.value.detail
            assert (said.code, said.category, said.retryable) == ("COG_NOT_WRITTEN", "system", True)
            assert said.remediation


def spoil_pixels(path: Path) -> None:
    with rasterio.open(path, "r+", IGNORE_COG_LAYOUT_BREAK="YES") as dataset:
        block = dataset.read(1, window=((0, 8), (0, 8)))
        dataset.write(block + 1, 1, window=((0, 8), (0, 8)))


def spoil_layout(path: Path) -> None:
    with rasterio.open(path) as dataset:
        profile, data = dataset.profile, dataset.read()
    with rasterio.open(path, "w", **profile | {"tiled": False, "blockysize": 1}) as dataset:
        dataset.write(data)


@pytest.mark.parametrize(("spoil", "code"), [(spoil_layout, "COG_NOT_VALID"), (spoil_pixels, None)])
def test_what_was_made_is_not_believed(spoil: Callable[[Path], None], code: str | None, folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(noise((600, 600), "float32")), folder)
    spoil(one.path)
    with pytest.raises(TaskError) as caught:
        one.verified()
    assert caught.value.detail.code == (code or caught.value.detail.code)
    assert caught.value.detail.code in {"COG_NOT_VALID", "COG_NOT_EQUAL"}
    assert caught.value.detail.category == "system"


def test_another_sources_cog_is_not_this_ones(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(noise((600, 600), "float32")), folder)
    other = make_raster(noise((600, 600), "float32", seed=2), "other.tif")
    with pytest.raises(TaskError, match="pixels differ"):
        one.verified(other)


def test_the_profile_survives_json(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(ramp()), folder, target_crs="EPSG:3035")
    assert Profile.model_validate(json.loads(json.dumps(one.profile.model_dump(), allow_nan=False))) == one.profile
