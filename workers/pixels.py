"""Reading every pixel of a raster once, in windows of bounded size, and what that tells of each band."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import MaskFlags
from rasterio.windows import Window

WINDOW_BYTES = 32 * 1024**2
"""About what a window of all bands takes."""
_ALIGNMENT = 512
# Parts of a window that stay in the processor's cache while they are gone through several times. As float64 a part of
# these 64 KB also comes from the heap: larger arrays are mapped anew each time, which takes ten times as long as the sums.
_COUNTED_AT_ONCE = 1 << 20
_MERGED_AT_ONCE = 1 << 13

Array = NDArray[Any]


def windows(dataset: Any, beside: Any = None) -> Iterator[Window]:
    """Windows that cover a raster once, row by row, along its own blocks as far as memory allows.

    Where `beside` is read in the same windows, and lies in strips, they are low and wide: all strips of a window are read for it, and
    GDAL's cache must hold them until the next one.
    """
    block_height, block_width = dataset.block_shapes[0]
    pixel = dataset.count * np.dtype(dataset.dtypes[0]).itemsize
    most_pixels = max(1, WINDOW_BYTES // pixel)
    width = dataset.width
    if block_width < width:
        # Tiles: as square as they come, so that both the source's and the COG's are read once.
        side = max(_ALIGNMENT, int(math.sqrt(most_pixels)) // _ALIGNMENT * _ALIGNMENT)
        if beside is not None and beside.block_shapes[0][1] == beside.width:
            side = max(_ALIGNMENT, most_pixels // block_height)
        width = min(width, _multiple(side, block_width))
    rows = max(1, most_pixels // width)
    height = min(dataset.height, _multiple(rows, _ALIGNMENT if rows >= _ALIGNMENT else block_height if rows >= block_height else 1))
    for row in range(0, dataset.height, height):
        for column in range(0, dataset.width, width):
            yield Window(column, row, min(width, dataset.width - column), min(height, dataset.height - row))


def _multiple(value: int, of: int) -> int:
    return max(of, value // of * of)


def same(one: Array, other: Array) -> bool:
    """Whether two arrays hold the same pixels, NaN being the same as NaN."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    bits = np.dtype(f"u{one.dtype.itemsize}")
    # Bit by bit is twice as fast, and enough but where a codec has written another NaN.
    return np.array_equal(one.view(bits), other.view(bits)) or (one.dtype.kind == "f" and np.array_equal(one, other, equal_nan=True))


class Validity:
    """Which pixels of a raster hold data: by nodata, mask band or alpha, and never NaN or infinity."""

    def __init__(self, dataset: Any, nodata: float | None) -> None:
        self._dataset = dataset
        flags = dataset.mask_flag_enums[0]
        self._by_mask = MaskFlags.per_dataset in flags
        self._nodata = [_as_dtype(nodata, dtype) for dtype in dataset.dtypes]

    def of(self, window: Window, data: Array) -> Iterator[Array | None]:
        """For each band of the window's data, a mask that is true where it is valid; None means everywhere."""
        shared: Array | None = self._dataset.read_masks(1, window=window) > 0 if self._by_mask else None
        if shared is not None and shared.all():
            shared = None
        for band, nodata in zip(data, self._nodata, strict=True):
            mask = shared
            if band.dtype.kind == "f":
                finite = np.isfinite(band)
                if not finite.all():
                    mask = finite if mask is None else mask & finite
            if nodata is not None and not (isinstance(nodata, float) and math.isnan(nodata)):
                there = band != nodata
                if not there.all():
                    mask = there if mask is None else mask & there
            yield mask


def _as_dtype(nodata: float | None, dtype: str) -> float | int | None:
    """The value that a band of this type would hold for nodata; None where it cannot hold it."""
    if nodata is None:
        return None
    kind = np.dtype(dtype)
    if kind.kind == "f":
        with np.errstate(over="ignore"):
            return float(kind.type(nodata))
    if not math.isfinite(nodata) or nodata != int(nodata):
        return None
    limits = np.iinfo(kind)
    return int(nodata) if limits.min <= nodata <= limits.max else None


def can_hold(nodata: float, dtype: str) -> bool:
    """Whether a band of this type can hold this nodata value."""
    return _as_dtype(nodata, dtype) is not None


def _parts(values: Array, size: int) -> Iterator[Array]:
    for start in range(0, values.size, size):
        yield values[start : start + size]


@dataclass
class Statistics:
    """Minimum, maximum, mean and standard deviation of a band, gathered window by window.

    Bands of at most 16 bits are counted value by value: exact, and it is known which values occur. Others are merged by
    Chan's formula, which does not lose digits as sums of squares do.
    """

    dtype: str
    pixels: int = 0
    valid: int = 0
    minimum: float | None = None
    maximum: float | None = None
    not_finite: int = 0
    infinite: int = 0
    _mean: float = 0.0
    _squares: float = 0.0
    _counts: NDArray[np.int64] | None = field(default=None, repr=False)

    def add(self, band: Array, mask: Array | None) -> None:
        """Take the pixels of a window."""
        self.pixels += band.size
        if band.dtype.kind == "f" and mask is not None:
            self.not_finite += (missing := int(band.size - np.count_nonzero(np.isfinite(band))))
            self.infinite += int(np.count_nonzero(np.isinf(band))) if missing else 0
        values = band.ravel() if mask is None else band[mask]
        if values.size == 0:
            return
        if band.dtype.kind in "iub" and band.dtype.itemsize <= 2:
            self._count(values)
        else:
            self._merge(values)

    def _count(self, values: Array) -> None:
        lowest = int(np.iinfo(values.dtype).min)
        counts = self._counts if self._counts is not None else np.zeros(1 << 8 * values.dtype.itemsize, dtype=np.int64)
        for part in _parts(values, _COUNTED_AT_ONCE):
            counts += np.bincount(part.astype(np.intp) - lowest if lowest else part, minlength=counts.size)
        self._counts = counts
        self.valid += values.size
        found = np.flatnonzero(counts)
        self.minimum, self.maximum = float(found[0] + lowest), float(found[-1] + lowest)

    def _merge(self, values: Array) -> None:
        low, high = float(values.min()), float(values.max())
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)
        for part in _parts(values, _MERGED_AT_ONCE):
            exact = part.astype(np.float64)
            mean = float(exact.sum()) / exact.size
            exact -= mean
            total = self.valid + exact.size
            shift = mean - self._mean
            self._squares += float(np.dot(exact, exact)) + shift * shift * self.valid * exact.size / total
            self._mean += shift * exact.size / total
            self.valid = total

    def occurrences(self) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
        """The distinct values in order and how often each occurs, where that is known."""
        if self._counts is None:
            return None
        found = np.flatnonzero(self._counts)
        return found + int(np.iinfo(self.dtype).min), self._counts[found]

    @property
    def mean(self) -> float | None:
        """The mean of the valid pixels."""
        if not self.valid:
            return None
        counted = self.occurrences()
        return self._mean if counted is None else float(np.average(counted[0], weights=counted[1]))

    @property
    def stddev(self) -> float | None:
        """The standard deviation of the valid pixels, as a population."""
        if not self.valid:
            return None
        counted = self.occurrences()
        if counted is None:
            return math.sqrt(self._squares / self.valid)
        values, weights = counted
        return math.sqrt(float(np.average(np.square(values - np.average(values, weights=weights)), weights=weights)))

    @property
    def valid_percent(self) -> float:
        """The share of pixels that hold data."""
        return 100.0 * self.valid / self.pixels if self.pixels else 0.0
