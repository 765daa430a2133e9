"""Shapes laid over one another, checked by their areas.

GEOS 3.14 was seen to lose all of a polygon where a box was cut out of the union of three (the borders of Canada and the United
States): no error, a valid result, and the wrong one. What does not add up here is computed again on a grid of a tenth of a
millimetre, where overlays are of another, slower kind.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import shapely

_GRID = 1e-9
_TOLERANCE = 1e-9
"""Square degrees: ten square metres."""


def clipped(shapes: Any, box: Any) -> Any:
    """What of each shape lies in a box."""
    inside, outside = shapely.intersection(shapes, box), shapely.difference(shapes, box)
    wrong = np.abs(shapely.area(inside) + shapely.area(outside) - shapely.area(shapes)) > _TOLERANCE
    inside[wrong] = shapely.intersection(shapes[wrong], box, grid_size=_GRID)
    return inside


def united(shapes: Any) -> Any:
    """Shapes as one."""
    union = shapely.union_all(shapes)
    areas = shapely.area(shapes)
    if areas.max(initial=0) - _TOLERANCE <= union.area <= areas.sum() + _TOLERANCE:
        return union
    return shapely.union_all(shapes, grid_size=_GRID)


def without(box: Any, shape: Any) -> Any:
    """What of a box is left without a shape that lies in it."""
    rest = shapely.difference(box, shape)
    if abs(rest.area + shape.area - box.area) <= _TOLERANCE:
        return rest
    return shapely.difference(box, shape, grid_size=_GRID)
