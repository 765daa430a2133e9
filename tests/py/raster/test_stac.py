"""Items and collections are valid STAC 1.1 by the schemas that pystac ships, and say what they should."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pystac
import pytest
import rasterio
from pystac.extensions.file import FileExtension
from pystac.extensions.projection import ProjectionExtension
from rasterio.transform import from_origin
from rio_tiler.colormap import cmap
from rio_tiler.io import Reader

from codegen.messages.raster_report import CogReport, Sidecar
from codegen.messages.request import RequestIdentity
from tests.py.raster.conftest import MakeRaster, noise, ramp
from tests.py.raster.test_cog import CLASSES, Converted
from tests.py.support.samples import sample
from tests.py.support.stac_extensions import extension_problems, problems
from workers import raster_item, raster_render, raster_report, stac
from workers.footprint import of_bounds

IDENTITY = RequestIdentity(
    request_id="0123456789abcdef" * 2,
    revision=3,
    client_id="ddh_v1",
    client_role="ddh",
    collection_prefix="ddh",
    dataset_id="rivers",
    resource_id="basins",
    version_id="v2",
    stac_item_id="rivers_basins_v2",
)


def cog_report(one: Converted, **changes: Any) -> CogReport:
    return CogReport(
        **{
            "key": "ddh_v1/r/r1/x.tif",
            "href": "https://data.example.org/ddh_v1/r/r1/x.tif",
            "size": one.path.stat().st_size,
            "checksum": stac.checksum(one.path, lambda: None),
            "grid": one.made.grid,
            "bands": one.made.bands,
            "nodata": raster_report.told_nodata(one.made.nodata),
            "overviews": one.made.overviews,
            "largest_error": one.made.largest_error,
            "mean_error": one.made.mean_error,
            "classes": one.made.classes,
            "profile": one.profile,
            "source": one.report.source,
            "datetime": one.report.datetime,
            "bbox": one.made.footprint.bbox,
            "geometry": one.made.footprint.geometry,
            "minzoom": one.made.minzoom,
            "maxzoom": one.made.maxzoom,
            **changes,
        }
    )


def item_of(one: Converted, *, time: str | None = None, words: stac.Words | None = None, **changes: Any) -> dict[str, Any]:
    return raster_item.item(
        IDENTITY, job_id="j" * 64, collection="ddh_rasters", cog=cog_report(one, **changes), time=time, words=words or stac.Words()
    )


@pytest.fixture
def strings_of() -> Any:
    def walk(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            for one in value.values():
                yield from walk(one)
        elif isinstance(value, list):
            for one in value:
                yield from walk(one)
        elif isinstance(value, str):
            yield value

    return walk


@pytest.mark.parametrize("name", ["L7_ETMs.tif", "lc.tif", "olinda_dem_utm25s.tif"])
def test_items_of_real_rasters_are_valid(name: str, folder: Path) -> None:
    item = item_of(Converted(sample(name), folder), words=stac.Words("A title", "A description", "CC-BY-4.0", ["a", "b"]))
    assert problems(item, "item") == []
    assert json.loads(json.dumps(item, allow_nan=False)) == item
    assert item["stac_version"] == "1.1.0"
    assert pystac.Item.from_dict(item).id == "rivers_basins_v2"


def test_an_item_over_the_antimeridian_is_valid(folder: Path, make_raster: MakeRaster) -> None:
    item = item_of(Converted(make_raster(ramp(100, 200), crs="EPSG:4326", transform=from_origin(170, -10, 0.1, 0.1)), folder))
    assert problems(item, "item") == []
    assert item["geometry"]["type"] == "MultiPolygon"
    assert item["bbox"] == pytest.approx([170, -20, -170, -10])


def test_the_projection_is_as_version_2_has_it(folder: Path) -> None:
    item = item_of(Converted(sample("L7_ETMs.tif"), folder))
    projection = ProjectionExtension.ext(pystac.Item.from_dict(item))
    assert projection.code == "EPSG:31985"
    assert projection.shape == [352, 349]
    assert projection.transform == pytest.approx([28.5, 0, 288776.25, 0, -28.5, 9120760.75], abs=1e-4)
    assert projection.bbox == pytest.approx([288776.25, 9120760.75 - 352 * 28.5, 288776.25 + 349 * 28.5, 9120760.75], abs=1e-3)
    assert "proj:epsg" not in item["properties"]
    assert stac.PROJECTION in item["stac_extensions"]


def test_a_crs_without_a_code_is_told_in_full(folder: Path) -> None:
    properties = item_of(Converted(sample("olinda_dem_utm25s.tif"), folder))["properties"]
    assert properties["proj:code"] is None
    assert "UTM Zone 25" in properties["proj:wkt2"]


def test_the_asset_describes_the_file(folder: Path) -> None:
    one = Converted(sample("L7_ETMs.tif"), folder)
    item = item_of(one)
    asset = item["assets"]["data"]
    assert asset["type"] == "image/tiff; application=geotiff; profile=cloud-optimized"
    assert asset["roles"] == ["data"]
    file = FileExtension.ext(pystac.Item.from_dict(item).assets["data"])
    assert file.size == one.path.stat().st_size
    assert file.checksum is not None
    assert file.checksum.startswith("1220")
    assert asset["raster:spatial_resolution"] == pytest.approx(28.5, rel=1e-2)
    assert len(asset["bands"]) == 6
    assert asset["bands"][0]["data_type"] == "uint8"
    assert asset["bands"][0]["statistics"]["mean"] == pytest.approx(79.1477, abs=1e-3)
    assert asset["bands"][0]["statistics"]["valid_percent"] == 100


@pytest.mark.parametrize(("nodata", "told"), [(np.nan, "nan"), (-9999, -9999.0)])
def test_nodata_is_spelled_as_stac_does(nodata: float, told: Any, folder: Path, make_raster: MakeRaster) -> None:
    item = item_of(Converted(make_raster(ramp(), nodata=nodata), folder))
    assert item["assets"]["data"]["bands"][0]["nodata"] == told
    assert problems(item, "item") == []


def render_of(one: Converted) -> dict[str, Any]:
    return dict(item_of(one)["properties"]["renders"]["default"])


def test_classes_are_told_with_names_and_colours(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(noise((80, 80), "uint8", 0, 5), nodata=0)
    path.with_name(f"{path.name}.aux.xml").write_text(CLASSES)
    item = item_of(Converted(path, folder))
    assert problems(item, "item") == []
    classes = item["assets"]["data"]["bands"][0]["classification:classes"]
    assert [(one["value"], one["name"], one["title"]) for one in classes] == [
        (0, "none", "none"),
        (1, "open_water", "open water"),
        (2, "wood", "wood"),
        (3, "town", "town"),
        (4, "4", "4"),
    ], "what occurs without a name is a class too"
    assert classes[0]["nodata"] is True
    assert classes[1]["color_hint"] == "0000ff"


def test_classes_of_a_colour_table(folder: Path) -> None:
    one = Converted(sample("lc.tif"), folder)
    item = item_of(one)
    assert problems(item, "item") == []
    classes = {found["value"]: found for found in item["assets"]["data"]["bands"][0]["classification:classes"]}
    with rasterio.open(one.path) as made:
        assert {int(value) for value in np.unique(made.read(1))} <= set(classes)
        red, green, blue, _ = made.colormap(1)[11]
    assert classes[11]["color_hint"] == f"{red:02x}{green:02x}{blue:02x}"
    render = render_of(one)
    assert (render["resampling"], render["colormap"]["11"]) == ("nearest", f"#{red:02x}{green:02x}{blue:02x}")


@pytest.mark.parametrize(
    ("data", "settings", "told"),
    [
        pytest.param(noise((3, 50, 50), "uint8"), {"photometric": "RGB"}, {"bidx": [1, 2, 3]}, id="colours as they are"),
        pytest.param(ramp(), {"name": "a_dem.tif"}, {"bidx": [1], "colormap_name": "terrain"}, id="elevation"),
        pytest.param(
            ramp() / 1200, {"name": "ndvi.tif"}, {"bidx": [1], "colormap_name": "rdylgn", "rescale": [[-1.0, 1.0]]}, id="an index"
        ),
        pytest.param(ramp(), {"nodata": -9999}, {"bidx": [1], "colormap_name": "viridis", "nodata": -9999.0}, id="measurements"),
        pytest.param(
            noise((4, 50, 50), "uint16", 0, 9000),
            {"then": lambda dataset: setattr(dataset, "descriptions", ("blue", "green", "red", "nir"))},
            {"bidx": [3, 2, 1]},
            id="bands by their names",
        ),
    ],
)
def test_how_it_is_best_looked_at(data: Any, settings: dict[str, Any], told: dict[str, Any], folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(data, **settings), folder)
    render = render_of(one)
    assert {key: render.get(key) for key in told} == told
    assert render["minmax_zoom"] == [one.made.minzoom, one.made.maxzoom]
    assert ("rescale" in render) == (one.profile.kind != "rgb")
    if "colormap_name" in render:
        assert cmap.get(render["colormap_name"])
    with Reader(str(one.path)) as reader:
        image = reader.preview(indexes=tuple(render["bidx"]))
        if "rescale" in render:
            image.rescale([tuple(span) for span in render["rescale"]])
        assert image.data.std() > 10, "something is to be seen"


def test_a_collection_has_one_render_without_seams(folder: Path, make_raster: MakeRaster) -> None:
    low, high = (item_of(Converted(make_raster(ramp() + shift, f"{shift}.tif"), folder)) for shift in (0, 1000))
    together = raster_render.together([low, high])
    assert together is not None
    assert together["rescale"][0][0] == low["properties"]["renders"]["default"]["rescale"][0][0]
    assert together["rescale"][0][1] == high["properties"]["renders"]["default"]["rescale"][0][1]
    collection = stac.collection(
        "ddh_both",
        description="Both",
        items=[low, high],
        item_assets=raster_item.item_assets([low, high]),
        extra={"renders": {"default": together}},
        extensions=raster_item.collection_extensions([low, high], rendered=True),
    )
    assert problems(collection, "collection") == []
    dem = item_of(Converted(make_raster(ramp(), "a_dem.tif"), folder))
    assert raster_render.together([low, dem]) is None, "not of different things"


def test_the_file_beside_is_an_asset(folder: Path, make_raster: MakeRaster) -> None:
    beside = Sidecar(href="https://data.example.org/x.tif.aux.xml", size=7, checksum="1220" + "0" * 64)
    item = item_of(Converted(make_raster(ramp()), folder), beside=beside)
    assert problems(item, "item") == []
    assert item["assets"]["attributes"]["href"] == beside.href


def test_what_an_extension_does_not_know_is_noticed(folder: Path, make_raster: MakeRaster) -> None:
    item = item_of(Converted(make_raster(ramp()), folder))
    item["properties"]["proj:epsg"] = 32631
    item["assets"]["data"]["file:size"] = "large"
    item["stac_extensions"].remove(stac.RENDER)
    assert len(extension_problems(item)) == 3


def test_a_band_without_data_has_no_statistics_but_its_share(folder: Path, make_raster: MakeRaster) -> None:
    data = noise((2, 40, 30), "uint8", 1)
    data[1] = 0
    item = item_of(Converted(make_raster(data, nodata=0), folder))
    assert item["assets"]["data"]["bands"][1]["statistics"] == {"valid_percent": 0}
    assert problems(item, "item") == []


def test_the_lineage_is_told(folder: Path, make_raster: MakeRaster) -> None:
    one = Converted(make_raster(ramp()), folder)
    properties = item_of(one)["properties"]
    assert {key: value for key, value in properties.items() if key.startswith("ddh:")} == {
        "ddh:dataset_id": "rivers",
        "ddh:resource_id": "basins",
        "ddh:version_id": "v2",
    }
    assert properties["geomill:request_id"] == IDENTITY.request_id
    assert (properties["geomill:job_id"], properties["geomill:revision"]) == ("j" * 64, 3)
    assert properties["geomill:source_checksum"] == one.report.source.checksum
    assert list(properties["processing:software"]) == ["geomill"]


def test_no_path_of_the_machine_in_it(folder: Path, make_raster: MakeRaster, strings_of: Any) -> None:
    item = item_of(Converted(make_raster(ramp()), folder))
    assert not [text for text in strings_of(item) if str(folder) in text or text.startswith("file:")]


@pytest.mark.parametrize(
    ("requested", "in_file", "source", "year"),
    [
        ("2020-06-01T12:00:00+02:00", datetime(2021, 1, 1, tzinfo=UTC), "request", 2020),
        (None, datetime(2021, 1, 1, tzinfo=UTC), "file", 2021),
        (None, None, "ingest", None),
    ],
)
def test_the_time_says_where_it_is_from(requested: str | None, in_file: datetime | None, source: str, year: int | None) -> None:
    begun = datetime.now(UTC).replace(microsecond=0)
    time = stac.when(requested, in_file)
    assert (time.source, time.value.tzinfo) == (source, UTC)
    assert begun <= time.value <= datetime.now(UTC) if year is None else time.value.year == year


def test_times_are_told_in_utc(folder: Path, make_raster: MakeRaster) -> None:
    properties = item_of(Converted(make_raster(ramp()), folder), time="2020-06-01T12:00:00+02:00")["properties"]
    assert (properties["datetime"], properties["geomill:datetime_source"]) == ("2020-06-01T10:00:00Z", "request")


def test_the_files_own_time_is_taken(folder: Path, make_raster: MakeRaster) -> None:
    path = make_raster(ramp(), then=lambda dataset: dataset.update_tags(TIFFTAG_DATETIME="2021:03:04 05:06:07"))
    properties = item_of(Converted(path, folder))["properties"]
    assert (properties["datetime"], properties["geomill:datetime_source"]) == ("2021-03-04T05:06:07Z", "file")


def test_a_collection_has_the_extent_of_its_items(folder: Path, make_raster: MakeRaster) -> None:
    one = item_of(Converted(make_raster(ramp()), folder), time="2020-06-01T12:00:00Z")
    two = item_of(Converted(sample("L7_ETMs.tif"), folder), time="2022-06-01T12:00:00Z")
    collection = stac.collection("ddh_both", description="Both", items=[one, two], item_assets=raster_item.item_assets([]), keywords=["a"])
    assert problems(collection, "collection") == []
    assert collection["extent"]["spatial"]["bbox"] == [stac.union([one["bbox"], two["bbox"]])]
    assert collection["extent"]["temporal"]["interval"] == [["2020-06-01T12:00:00Z", "2022-06-01T12:00:00Z"]]
    assert collection["item_assets"]["data"]["roles"] == ["data"]
    assert collection["license"] == "other"


def test_a_collection_without_items_is_valid() -> None:
    assert problems(stac.collection("ddh_none", description="None yet"), "collection") == []


def test_an_item_for_anything_else() -> None:
    item = stac.item(
        IDENTITY,
        job_id="j",
        collection="ddh_vectors",
        footprint=of_bounds(5, 45, 7, 46),
        time=stac.when(None),
        assets={"table": pystac.Asset("geo.rivers", roles=["data"])},
        properties={"table:row_count": 4},
        extensions=[stac.TABLE],
    )
    assert problems(item, "item") == []
    assert {"rel": "collection", "href": "/collections/ddh_vectors", "type": "application/json"} in item["links"]


def test_names_are_fit_and_distinct() -> None:
    texts = {"/a/x y.tif": "x y", "/b/x_y.tif": "x_y", "/c/z.tif": "z", "/d/Z.tif": "Z", "/e": "…", "/f": "ü" * 300}
    names = stac.names(texts)
    assert len({name.lower() for name in names.values()}) == 6
    assert all(name.isascii() and name.strip("._-") == name and len(name) <= 120 for name in names.values())
    assert names == stac.names(dict(reversed(texts.items()))), "whatever their order"
    assert stac.names({"/a/plain.tif": "plain"}) == {"/a/plain.tif": "plain"}
