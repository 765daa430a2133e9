"""How a COG is best looked at: the render extension's words for a tiler.

Measured values are stretched over two standard deviations around their mean, within what there is; classes have the colours
that the file gives them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from codegen.messages.raster_report import Band, CogReport, Kind

DEFAULT = "default"
_ASSET = "data"

_COLORMAPS: dict[Kind, str] = {"continuous": "viridis", "dem": "terrain", "vegetation_index": "rdylgn"}
_CHANNELS = ("red", "green", "blue")
_SPREAD = 2.0


def of(cog: CogReport) -> dict[str, Any]:
    """The render of a COG."""
    kind = cog.profile.kind
    render: dict[str, Any] = {"title": "As it is best looked at", "assets": [_ASSET], "minmax_zoom": [cog.minzoom, cog.maxzoom]}
    bands = _shown(cog)
    render["bidx"] = [index + 1 for index in bands]
    if cog.nodata is not None:
        render["nodata"] = cog.nodata
    if kind in ("categorical", "mask"):
        render["resampling"] = "nearest"
        if colors := {str(one.value): f"#{one.color}" for one in cog.classes if one.color is not None}:
            render["colormap"] = colors
        return render
    render["resampling"] = "bilinear"
    if kind in _COLORMAPS:
        render["colormap_name"] = _COLORMAPS[kind]
    stretches = [_stretch(cog.bands[index], kind) for index in bands]
    if any(stretch is not None for stretch in stretches):
        render["rescale"] = [stretch or [0.0, 255.0] for stretch in stretches]
    return render


def together(items: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """One render for all items of a collection, so that its mosaic has no seams; None where they show different things."""
    renders = [item["properties"].get("renders", {}).get(DEFAULT) for item in items]
    if not renders or any(one is None for one in renders):
        return None
    stretched = ("rescale", "minmax_zoom")
    first = {key: value for key, value in renders[0].items() if key not in stretched}
    if any({key: value for key, value in one.items() if key not in stretched} != first for one in renders):
        return None
    zooms = [one["minmax_zoom"] for one in renders]
    common = {**first, "minmax_zoom": [min(zoom[0] for zoom in zooms), max(zoom[1] for zoom in zooms)]}
    if all("rescale" in one for one in renders):
        bands = zip(*(one["rescale"] for one in renders), strict=True)
        common["rescale"] = [[min(low for low, _ in band), max(high for _, high in band)] for band in bands]
    return common


def _shown(cog: CogReport) -> list[int]:
    """The bands to show, in the order of red, green, blue where there are these."""
    if cog.profile.kind not in ("rgb", "rgba", "multispectral"):
        return [0]
    named = {band.color if band.color in _CHANNELS else band.name.lower(): index for index, band in reversed(list(enumerate(cog.bands)))}
    if all(channel in named for channel in _CHANNELS):
        return [named[channel] for channel in _CHANNELS]
    return list(range(3)) if len(cog.bands) >= 3 else [0]


def _stretch(band: Band, kind: Kind) -> list[float] | None:
    """From which value to which; None for 8-bit colours, which are shown as they are."""
    if kind in ("rgb", "rgba") and band.data_type == "uint8":
        return None
    if band.minimum is None or band.maximum is None or band.mean is None or band.stddev is None:
        return None
    if kind == "vegetation_index":
        most = 1.0 if max(abs(band.minimum), abs(band.maximum)) <= 2 else 10_000.0
        return [-most, most]
    low, high = max(band.minimum, band.mean - _SPREAD * band.stddev), min(band.maximum, band.mean + _SPREAD * band.stddev)
    return [float(f"{low:.6g}"), float(f"{high if high > low else low + 1:.6g}")]
