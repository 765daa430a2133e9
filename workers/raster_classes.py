"""What the values of a raster of classes are called and how they are coloured: colour table, category names, attribute table.

GDAL keeps them in three places, and rasterio shows one of them. A VRT of the header has all three.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import rasterio
import rasterio.shutil

from codegen.messages.raster_report import Class
from workers.pixels import Statistics

_MOST_CLASSES = 4096
_NAME, _MIN_MAX, _RED, _GREEN, _BLUE = "2", "5", "6", "7", "8"
"""Usages of the columns of an attribute table, as GDAL numbers them."""


def of(dataset: Any) -> list[Class]:
    """The classes of an open raster's first band, by value; empty where it does not say any. Only integers are classes."""
    if not dataset.dtypes[0].startswith(("int", "uint")):
        return []
    band = _header(dataset)
    if band is None:
        return []
    names = dict(_category_names(band))
    colors = {value: _hex(color) for value, color in _colormap(dataset).items()} if names else {}
    for value, name, color in _attributes(band):
        names[value] = name or names.get(value, "")
        if color and value not in colors:
            colors[value] = color
    return [Class(value=value, name=name, color=colors.get(value)) for value, name in sorted(names.items()) if name][:_MOST_CLASSES]


def completed(named: list[Class], dataset: Any, found: Statistics) -> list[Class]:
    """The classes that are named, and those values besides that occur, coloured as the colour table has it."""
    counted = found.occurrences()
    known = {one.value for one in named}
    colors = _colormap(dataset)
    others = [] if counted is None else [int(value) for value in counted[0] if int(value) not in known]
    unnamed = [Class(value=value, name=str(value), color=_hex(colors[value]) if value in colors else None) for value in others]
    return sorted([*named, *unnamed], key=lambda one: one.value)[:_MOST_CLASSES]


def restore_names(source: Any, made: Path) -> None:
    """Give a reprojected raster its category names back, which warping loses; and take away what warping leaves beside it."""
    for leftover in made.parent.glob(f"{made.name}.warped.*"):
        leftover.unlink(missing_ok=True)
    band = _header(source)
    names = None if band is None else band.find("CategoryNames")
    if names is None:
        return
    beside = made.with_name(f"{made.name}.aux.xml")
    root = ElementTree.parse(beside).getroot() if beside.exists() else ElementTree.Element("PAMDataset")  # noqa: S314 (GDAL wrote it)
    of_band = root.find("PAMRasterBand[@band='1']")
    if of_band is None:
        of_band = ElementTree.SubElement(root, "PAMRasterBand", band="1")
    if of_band.find("CategoryNames") is None:
        of_band.insert(0, names)
    ElementTree.ElementTree(root).write(beside)


def _header(dataset: Any) -> ElementTree.Element | None:
    """The first band of a VRT over the raster."""
    vrt = f"/vsimem/{uuid.uuid4().hex}.vrt"
    rasterio.shutil.copy(dataset, vrt, driver="VRT")
    try:
        with rasterio.open(vrt, driver="VRT", sharing=False) as header:
            text = header.tags(ns="xml:VRT")["xml:VRT"]
    finally:
        rasterio.shutil.delete(vrt, driver="VRT")
    return ElementTree.fromstring(text).find("VRTRasterBand")  # noqa: S314 (GDAL wrote it)


def _category_names(band: ElementTree.Element) -> Iterator[tuple[int, str]]:
    for value, category in enumerate(band.iterfind("CategoryNames/Category")):
        if category.text:
            yield value, category.text


def _attributes(band: ElementTree.Element) -> Iterator[tuple[int, str | None, str | None]]:
    """Value, name and colour of each row of the attribute table that is about one value."""
    table = band.find("GDALRasterAttributeTable")
    if table is None:
        return
    fields = {field.findtext("Usage"): index for index, field in enumerate(table.iterfind("FieldDefn"))}
    if _MIN_MAX not in fields or _NAME not in fields:
        return
    for row in table.iterfind("Row"):
        cells = [cell.text or "" for cell in row.iterfind("F")]
        if len(cells) < len(fields):
            continue
        try:
            value = float(cells[fields[_MIN_MAX]])
            channels = [int(float(cells[fields[usage]])) for usage in (_RED, _GREEN, _BLUE) if usage in fields]
        except ValueError:
            continue
        if value == int(value):
            color = (
                "".join(f"{channel:02x}" for channel in channels)
                if len(channels) == 3 and all(0 <= one <= 255 for one in channels)
                else None
            )
            yield int(value), cells[fields[_NAME]] or None, color


def _hex(color: tuple[int, int, int, int]) -> str:
    red, green, blue, _ = color
    return f"{red:02x}{green:02x}{blue:02x}"


def _colormap(dataset: Any) -> dict[int, tuple[int, int, int, int]]:
    try:
        return dict(dataset.colormap(1))
    except ValueError:
        return {}
