"""Footprints lie where the data lies, on both sides of the antimeridian and around the poles."""

from __future__ import annotations

import pytest
import rasterio.warp
import shapely
from affine import Affine
from pyproj import CRS
from rasterio.transform import from_origin

from workers.footprint import Footprint, NoFootprintError, of_bounds, of_box, of_grid
from workers.stac import union


def shape(footprint: Footprint) -> shapely.Geometry:
    return shapely.geometry.shape(footprint.geometry)


def assert_well_formed(footprint: Footprint) -> None:
    """What RFC 7946 asks of a geometry and its box."""
    outline = shape(footprint)
    assert outline.is_valid
    assert not outline.is_empty
    assert all(part.exterior.is_ccw for part in shapely.get_parts(outline))
    west, south, east, north = outline.bounds
    assert -180 <= west <= east <= 180
    assert -90 <= south <= north <= 90
    assert footprint.bbox[1::2] == pytest.approx([south, north])


def test_a_box_is_itself() -> None:
    footprint = of_bounds(5, 45, 7, 46)
    assert footprint.bbox == [5, 45, 7, 46]
    assert shape(footprint).equals(shapely.box(5, 45, 7, 46))


def test_a_point_has_an_area() -> None:
    footprint = of_bounds(5, 45, 5, 45)
    assert_well_formed(footprint)
    assert shape(footprint).area > 0


def test_a_projected_edge_keeps_its_curve() -> None:
    crs, bounds = CRS.from_epsg(32631), (166_000.0, 6_600_000.0, 834_000.0, 7_000_000.0)
    footprint = of_box(bounds, crs)
    assert_well_formed(footprint)
    assert footprint.bbox == pytest.approx(rasterio.warp.transform_bounds("EPSG:32631", "EPSG:4326", *bounds, densify_pts=63), abs=1e-6)
    northwest = rasterio.warp.transform("EPSG:32631", "EPSG:4326", [166_000.0], [7_000_000.0])[1][0]
    assert footprint.bbox[3] > northwest + 0.05, "the northern edge bulges north between its corners"


@pytest.mark.parametrize(
    ("crs", "bounds"),
    [
        pytest.param(4326, (170, -20, 190, -10), id="longitudes beyond 180"),
        pytest.param(4326, (-190, -20, -170, -10), id="longitudes below -180"),
        pytest.param(3832, (2_200_000, -2_200_000, 4_400_000, -1_100_000), id="a projection around 150 east"),
    ],
)
def test_over_the_antimeridian_it_is_cut(crs: int, bounds: tuple[float, float, float, float]) -> None:
    footprint = of_box(bounds, CRS.from_epsg(crs))
    assert_well_formed(footprint)
    assert footprint.geometry["type"] == "MultiPolygon"
    west, _, east, _ = footprint.bbox
    assert west > east
    assert west > 160
    assert east < -160
    assert shape(footprint).area < 400, "the part that lies there, not the rest of the Earth"


def test_a_zone_that_ends_at_the_antimeridian() -> None:
    footprint = of_grid(CRS.from_epsg(32660), from_origin(700_000, 100_000, 1000, 1000), 200, 50)
    assert_well_formed(footprint)
    assert footprint.bbox[0] > footprint.bbox[2]


@pytest.mark.parametrize(("crs", "pole"), [(3031, -90.0), (3413, 90.0)])
def test_around_a_pole_it_goes_all_the_way(crs: int, pole: float) -> None:
    footprint = of_grid(CRS.from_epsg(crs), Affine(10_000, 0, -3e6, 0, -10_000, 3e6), 600, 600)
    assert_well_formed(footprint)
    assert footprint.bbox[0::2] == [-180, 180]
    assert pole in footprint.bbox
    outline = shape(footprint)
    assert outline.distance(shapely.Point(12, pole * 0.99)) == 0
    assert outline.distance(shapely.Point(0, pole / 2)) > 0, "the corners reach further than the edges"


@pytest.mark.parametrize("west", [-180.0, 0.0, -0.5])
def test_the_whole_earth(west: float) -> None:
    footprint = of_grid(CRS.from_epsg(4326), from_origin(west, 90.5, 1, 1), 360, 181)
    assert_well_formed(footprint)
    assert footprint.bbox == [-180, -90, 180, 90]


def test_corners_outside_the_projection() -> None:
    footprint = of_box((-18_040_000, -9_020_000, 18_040_000, 9_020_000), CRS.from_user_input("ESRI:54009"))
    assert_well_formed(footprint)
    assert footprint.bbox == pytest.approx([-180, -90, 180, 90], abs=8)


def test_coordinates_of_another_crs_are_refused() -> None:
    with pytest.raises(NoFootprintError, match="latitudes"):
        of_grid(CRS.from_epsg(4326), from_origin(288_776, 9_120_760, 28.5, 28.5), 349, 352)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ([[0, 0, 1, 1], [5, -5, 6, 7]], [0, -5, 6, 7]),
        ([[170, -20, -175, -10]], [170, -20, -175, -10]),
        ([[170, -20, -175, -10], [160, 0, 165, 5]], [160, -20, -175, 5]),
        ([[170, -20, -175, -10], [-170, 0, -160, 5]], [170, -20, -160, 5]),
        ([[170, -20, -175, -10], [-5, 0, 5, 5]], [-180, -20, 180, 5]),
        ([[10, 0, 11, 1], [-170, 0, -160, 5]], [-170, 0, 11, 5]),
    ],
)
def test_the_union_of_boxes(boxes: list[list[float]], expected: list[float]) -> None:
    assert union(boxes) == pytest.approx(expected)
