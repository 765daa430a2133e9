"""What a raster shows: the kind that its COG's compression and resampling follow.

The header alone decides where it can (colours, palette, floating point, several bands). A single band of integers may be
anything; there the values decide, and names help. The reason is told with the kind, for a request may overrule it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from codegen.messages.raster_report import Kind
from workers import raster_classes

FEW_VALUES = 32
"""A band of integers with no more distinct values than this is taken for classes."""

_ENOUGH_PIXELS = 64 * FEW_VALUES
_ELEVATION = re.compile(
    r"(?<![a-z])(dem|dsm|dtm|dhm|dgm|dom|elev|elevations?|heights?|altitudes?|srtm|aster_?gdem|cop_?dem|bathymetry|topography)(?![a-z])"
)
_INDEX = re.compile(r"(?<![a-z])(ndvi|evi|evi2|savi|msavi|gndvi|ndwi|mndwi|ndmi|nbr|ndre|ndbi|vegetation index)(?![a-z])")
_INDEX_RANGE = 1.5
_INDEX_OF_INTEGERS = 10_000.0
_BEYOND_MEASURE = 1e30
_EARTH_RELIEF = (-12_000.0, 9_000.0)


@dataclass(frozen=True)
class Guess:
    """A kind, and why."""

    kind: Kind
    reason: str


@dataclass(frozen=True)
class Values:
    """What is known of a single band's values: its range, and the distinct ones where they are few enough to know."""

    minimum: float | None
    maximum: float | None
    count: int
    distinct: NDArray[np.int64] | None


def from_header(dataset: Any) -> Guess | None:
    """The kind, where it does not depend on the pixels."""
    colors = [interpretation.name for interpretation in dataset.colorinterp]
    if dataset.count == 1:
        if colors[0] == "palette":
            return Guess("categorical", "it has a colour table")
        if raster_classes.of(dataset):
            return Guess("categorical", "its values have names")
        if dataset.tags(1, ns="IMAGE_STRUCTURE").get("NBITS") == "1":
            return Guess("mask", "its values have one bit")
        return None
    shown = [color for color in colors if color != "alpha"]
    if sorted(shown) == ["blue", "green", "red"]:
        return (
            Guess("rgba", "its bands are red, green, blue and alpha")
            if "alpha" in colors
            else Guess("rgb", "its bands are red, green and blue")
        )
    if len(shown) == 1:
        return None
    return Guess("multispectral", f"it has {len(shown)} bands that are not red, green and blue")


def from_values(dataset: Any, values: Values, names: Sequence[str]) -> Guess:
    """The kind of a single band, by its values and by what the file and its band are called."""
    if np.dtype(dataset.dtypes[0]).kind == "f":
        return _measured(values, names, "its values are floating point")
    distinct = values.distinct
    if distinct is not None and dataset.dtypes[0] == "uint8" and set(distinct.tolist()) in ({0, 1}, {0, 255}):
        return Guess("mask", f"its only values are {' and '.join(str(value) for value in distinct)}")
    if distinct is not None and len(distinct) == 1:
        return _measured(values, names, "its only value is the same everywhere")
    if (
        distinct is not None
        and len(distinct) <= FEW_VALUES
        and values.count >= _ENOUGH_PIXELS
        and not _called_elevation(names)
        and not _called_index(names)
    ):
        return Guess("categorical", f"it has {len(distinct)} distinct integers")
    return _measured(values, names, "its values are integers, and many")


def absurd(kind: Kind, minimum: float, maximum: float) -> str | None:
    """Why a band of this kind cannot have such values; None where it may."""
    if max(abs(minimum), abs(maximum)) > _BEYOND_MEASURE:
        return "which nothing measures"
    low, high = _EARTH_RELIEF
    if kind == "dem" and (minimum < low or maximum > high):
        return f"and the relief of the Earth lies between {low:g} and {high:g} metres"
    if kind == "vegetation_index" and max(abs(minimum), abs(maximum)) > _INDEX_OF_INTEGERS:
        return f"and an index lies within {_INDEX_OF_INTEGERS:g}, in ten thousandths"
    return None


def names_of(dataset: Any, file_name: str) -> list[str]:
    """The words that may say what a raster shows."""
    return [file_name, *(text for text in dataset.descriptions if text)]


def told_by_name(file_name: str) -> list[str]:
    """What a file's name says of its kind: names that say the same are the same to the guess."""
    return [word for word, called in (("elevation", _called_elevation), ("index", _called_index)) if called([file_name])]


def _measured(values: Values, names: Sequence[str], reason: str) -> Guess:
    if _called_index(names) and values.minimum is not None and values.maximum is not None:
        # As fractions, or as integers of ten thousandths, as satellites' products have it.
        most = _INDEX_RANGE if values.distinct is None and "floating" in reason else _INDEX_OF_INTEGERS
        if max(abs(values.minimum), abs(values.maximum)) <= most:
            return Guess("vegetation_index", f"{reason}, and it is called an index")
    low, high = _EARTH_RELIEF
    if _called_elevation(names) and (
        values.minimum is None or values.maximum is None or (values.minimum >= low and values.maximum <= high)
    ):
        return Guess("dem", f"{reason}, and it is called elevation")
    return Guess("continuous", reason)


def _called_elevation(names: Sequence[str]) -> bool:
    return any(_ELEVATION.search(re.sub(r"[_\W]+", " ", name.lower())) for name in names)


def _called_index(names: Sequence[str]) -> bool:
    return any(_INDEX.search(re.sub(r"[_\W]+", " ", name.lower())) for name in names)
