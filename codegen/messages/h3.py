"""Parameters of the H3 jobs, and what their stages hand to one another."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from codegen.messages.base import Message

GridId = Annotated[str, Field(min_length=1, max_length=50, pattern="^[a-z][a-z0-9_]*$")]
Containment = Literal["center", "full", "overlap"]


class GridFilter(Message):
    """What a grid is cut by. What its kind needs and lacks, or does not take, the first task refuses."""

    kind: Literal["natural_earth", "countries", "bbox", "table", "world"] = Field(default="natural_earth", description="natural_earth: land at 1:110 million; countries: some of its countries; bbox; table: the polygons of a table of geo; world: no cut")
    countries: list[Annotated[str, Field(min_length=3, max_length=3, pattern="^[A-Z]+$")]] = Field(default_factory=list, max_length=300, description="ISO 3166-1 alpha-3 codes, e.g. BRA")
    bbox: list[float] = Field(default_factory=list, max_length=4, description="West, south, east, north in degrees; west > east crosses the antimeridian")
    table: str | None = Field(default=None, min_length=1, max_length=63, pattern="^[a-z_][a-z0-9_]*$", description="Table of schema geo")


class BootstrapGridParameters(Message):
    """Parameters of the job `bootstrap_h3_grid`."""

    grid_id: GridId = Field(description="Name of the grid, e.g. land")
    description: str | None = Field(default=None, min_length=1, max_length=2000, description="What it is for")
    resolutions: list[Annotated[int, Field(ge=0, le=8)]] = Field(min_length=1, max_length=9, description="H3 resolutions that it has, e.g. [2, 3, 4]")
    filter: GridFilter = Field(default=GridFilter(), description="What it is cut by")
    containment: Containment = Field(default="center", description="When a cell is in the filter: its center is, all of it (full), or any of it (overlap)")
    outside: Literal["drop", "mark"] = Field(default="drop", description="Cells outside the filter: left out, or kept and marked, all over the world")
    with_geometry: bool = Field(default=False, description="Store each cell's geometry; ten times the space")


class GridSeed(Message):
    """What seed hands to load: a task for each parent."""

    parents: list[str] = Field(description="Parent cells to go through, as text")
    parent_resolution: int = Field(ge=0, le=15, description="Their resolution")


class PartOfGrid(Message):
    """What load did of one resolution below one parent."""

    cells: int = Field(ge=0, description="Cells")
    in_filter: int = Field(ge=0, description="Of them, those in the filter")
    digest: str = Field(min_length=64, max_length=64, description="SHA-256 of the cells in order, eight bytes each")


class GridReport(Message):
    """What finalise reports of one resolution."""

    cells: int = Field(ge=0, description="Cells")
    in_filter: int = Field(ge=0, description="Of them, those in the filter")
    checksum: str = Field(min_length=64, max_length=64, description="h3.grid_checksum")




class ZonalOptions(Message):
    """What is measured over a grid, and how."""

    grid_id: GridId = Field(description="The grid")
    resolution: int = Field(ge=0, le=8, description="H3 resolution to measure at; the grid has it")
    coarsest_resolution: int | None = Field(default=None, ge=0, le=8, description="Roll the sums up to this resolution, too, and to all between; default: none")
    weighting: Literal["center", "area"] = Field(default="center", description="A pixel counts where its centre is, or by the share of it that is in the cell")
    bands: list[Annotated[int, Field(ge=1, le=1000)]] = Field(default_factory=list, max_length=100, description="Bands to measure, from 1; default: all")
    categories: bool = Field(default=False, description="Count each value of the bands, too")
    attributes: list[Annotated[str, Field(min_length=1, max_length=63, pattern="^[a-z_][a-z0-9_]*$")]] = Field(default_factory=list, max_length=50, description="Numeric columns of a table to add up; its rows are counted in any case")


class ZonalParameters(Message):
    """Parameters of the job `h3_zonal_statistics`. A request gives them itself; an operator names the dataset and where it is."""

    h3: ZonalOptions = Field(description="What is measured")
    endpoints: dict[str, Any] = Field(description="Where the data is, as a request's endpoints: table (geo.name), or cog (URL or key in the storage, or a list of them)")
    dataset: str | None = Field(default=None, min_length=1, max_length=600, description="Name of the dataset; default: that of the request's item, after its client's")
    request_id: str | None = Field(default=None, max_length=32, description="Request that the statistics belong to")
    revision: int | None = Field(default=None, ge=1, description="Its revision")
    client_id: str | None = Field(default=None, max_length=50, description="Its client")
    client_role: str | None = Field(default=None, max_length=63, description="Login that may read them; none: every client may")
    stac_collection: str | None = Field(default=None, max_length=100, description="STAC collection of the dataset")
    stac_item_id: str | None = Field(default=None, max_length=600, description="STAC item of the dataset")


class ZonalPlan(Message):
    """What plan decided: measure and publish keep to it."""

    run_id: int = Field(description="Row of h3.zonal_runs")
    parents: list[str] = Field(description="Parent cells, as text: a task each")
    keys: list[str] = Field(default_factory=list, description="Rasters, by their keys in the storage")
    table: str | None = Field(default=None, description="Table of schema geo")
    geometry_column: str | None = Field(default=None, description="Its geometry")
    bands: list[int] = Field(default_factory=list, description="Bands, in the order of the variables")


class ZonalPart(Message):
    """What was measured below one parent."""

    rows: int = Field(ge=0, description="Rows of h3.zonal_statistics")
    categories: int = Field(ge=0, description="Rows of h3.zonal_categories")
    counted: int = Field(ge=0, description="Pixels or features that are in a cell, with a value or without")
