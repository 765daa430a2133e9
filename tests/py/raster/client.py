"""A client of the whole: it submits by SQL, real workers do it, and what came of it is looked at."""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import numpy as np
import rasterio
from psycopg.types.json import Jsonb
from rasterio.transform import from_origin

from tests.conftest import CLIENT
from tests.py.raster.conftest import noise
from tests.py.support.processes import Workers
from tests.py.support.server import Database

Json = dict[str, Any]


@dataclass
class Client:
    """The client, its sources, and workers that do what it asks for."""

    database: Database
    sources: Path
    storage: Path
    logs: Path
    settings: dict[str, str] = field(default_factory=dict)
    """What its workers are told besides."""

    def __post_init__(self) -> None:
        self.ddh = self.database.connect("ddh")
        self.superuser = self.database.connect()

    def submit(self, source: Path | str | list[Path], request_type: str = "raster", **config: Any) -> str:
        """Submit a resource of its own; returns the request's id."""
        return self.submit_as(uuid.uuid4().hex[:12], source, request_type, **config)

    def submit_as(self, resource: str, source: Path | str | list[Path], request_type: str = "raster", **config: Any) -> str:
        # Of whatever was before, all is made anew: what is found again is tests/py/sharing's.
        if request_type == "collection":
            config = {"reprocess": True, **config}
        path = json.dumps([str(one) for one in source]) if isinstance(source, list) else str(source)
        row = self.ddh.execute(
            "SELECT request_id FROM platform.submit_request('tests', %s, 'v1', %s, %s, %s)", (resource, path, request_type, Jsonb(config))
        ).fetchone()
        assert row is not None
        return str(row[0])

    def work(self, *arguments: str) -> None:
        environment = self.database.environment() | {"GEOMILL_STORAGE": str(self.storage)} | self.settings
        workers = Workers.start(
            ("--processes", "2", "--until-idle", *arguments), environment, self.logs / f"workers-{uuid.uuid4().hex[:6]}.log"
        )
        try:
            assert workers.wait() == 0, workers.output
        finally:
            workers.end()

    def status(self, request_id: str) -> Json:
        row = self.ddh.execute("SELECT platform.get_request_status(%s)", (request_id,)).fetchone()
        assert row is not None
        return dict(row[0])

    def completed(self, request_id: str, status: str = "completed") -> Json:
        found = self.status(request_id)
        assert found["status"] == status, json.dumps(found, indent=1)[:3000]
        return found

    def search(self, **body: Any) -> list[Json]:
        row = self.ddh.execute("SELECT platform.stac_search(%s)", (Jsonb({"limit": 200, **body}),)).fetchone()
        assert row is not None
        return list(row[0]["features"])

    def files(self, request_id: str) -> list[str]:
        """Everything in the storage that belongs to the request, by any name."""
        below = self.storage / CLIENT / request_id
        return sorted(str(path.relative_to(below)) for path in below.rglob("*") if path.is_file())

    def rejects(self, request_id: str) -> list[tuple[str, str]]:
        return [(Path(row[0]).name, row[1]) for row in self.ddh.execute("SELECT source, code FROM platform.get_rejects(%s)", (request_id,))]


def path_of(href: str) -> Path:
    return Path(unquote(urlsplit(href).path))


def write(path: Path, data: Any, west: float = 500_000, **profile: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    bands = data if data.ndim == 3 else data[np.newaxis]
    settings = {"driver": "GTiff", "count": bands.shape[0], "height": bands.shape[1], "width": bands.shape[2], "dtype": bands.dtype}
    with rasterio.open(
        path, "w", **{**settings, "crs": "EPSG:32631", "transform": from_origin(west, 4_500_000, 10, 10), **profile}
    ) as dataset:
        dataset.write(bands)
    return path


def make_collection(folder: Path, number: int = 4, **profile: Any) -> Path:
    for index in range(number):
        write(folder / f"tile_{index}.tif", noise((200, 200), "uint16", 1, 9000, seed=index), 500_000 + 2_000 * index, **profile)
    return folder
