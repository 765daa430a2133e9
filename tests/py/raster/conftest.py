"""Rasters made for a test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.transform import from_origin

from tests.conftest import CLIENT
from tests.py.support.server import Database

if TYPE_CHECKING:
    from tests.py.raster.client import Client

UTM31 = "EPSG:32631"
AT = from_origin(500_000, 4_500_000, 10, 10)


class MakeRaster(Protocol):
    """Writes a GeoTIFF of the array (rows by columns, or bands first) and returns its path."""

    def __call__(
        self,
        data: NDArray[Any],
        name: str = ...,
        *,
        crs: str | None = ...,
        transform: Affine | None = ...,
        then: Callable[[Any], None] | None = ...,
        **profile: Any,
    ) -> Path: ...


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where make_raster writes."""
    return tmp_path


@pytest.fixture
def make_raster(folder: Path) -> MakeRaster:
    """Makes rasters in a folder of the test's own."""

    def make(
        data: NDArray[Any],
        name: str = "made.tif",
        *,
        crs: str | None = UTM31,
        transform: Affine | None = AT,
        then: Callable[[Any], None] | None = None,
        **profile: Any,
    ) -> Path:
        bands = data if data.ndim == 3 else data[np.newaxis]
        path = folder / name
        settings = {"driver": "GTiff", "count": bands.shape[0], "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
        with rasterio.open(path, "w", crs=crs, transform=transform, **settings | profile) as dataset:
            dataset.write(bands)
            if then is not None:
                then(dataset)
        return path

    return make


def ramp(height: int = 40, width: int = 30, dtype: str = "float32") -> NDArray[Any]:
    """Values that rise over the raster, none like another."""
    return np.arange(height * width, dtype="float64").reshape(height, width).astype(dtype)


def noise(shape: Sequence[int], dtype: str, low: float = 0, high: float = 200, seed: int = 1) -> NDArray[Any]:
    """Random values, the same at every run."""
    return np.random.default_rng(seed).uniform(low, high, tuple(shape)).astype(dtype)


@pytest.fixture(scope="module")
def client(module_database: Database, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The client, with folders of its own for sources and artefacts."""
    from tests.py.raster.client import Client

    folder = tmp_path_factory.mktemp("client")
    for name in ("sources", "storage", "logs"):
        (folder / name).mkdir()
    one = Client(module_database, folder / "sources", folder / "storage", folder / "logs")
    one.superuser.execute("INSERT INTO platform.source_roots (client_id, root) VALUES (%s, %s)", (CLIENT, f"{one.sources}/"))
    yield one
    one.ddh.close()
    one.superuser.close()
