"""From what a request names to the dataset that GDAL may open: one file, or one of an archive, and what belongs to it."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event
from urllib.parse import quote

import pyarrow as pa
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from pyogrio.util import vsi_path

from workers.errors import TaskError
from workers.storage import Source, Storage
from workers.vector import formats
from workers.vector.formats import Format

_BLOCK = 1024 * 1024
_PARTS: dict[Format, tuple[tuple[str, ...], tuple[str, ...]]] = {
    Format.SHAPEFILE: ((".shx", ".dbf"), (".prj", ".cpg")),
    Format.MAPINFO_TAB: ((".dat", ".map", ".id"), ()),
    Format.MAPINFO_MIF: ((), (".mid",)),
}
"""Files of the same name that belong to a format's own: needed, and looked for."""
_DATASETS = {*formats.EXTENSIONS, ".xml"}
""".xml may be GML; whether it is, its content says."""
_MODULE = re.compile(r"\bUSING\s+[\"'`\[]?(\w+)", re.IGNORECASE)
_INDEXES = {"rtree", "rtree_i32", "fts3", "fts4", "fts5", "virtualspatialindex", "virtualelementary", "virtualknn", "virtualknn2"}
"""Modules whose tables hold nothing but what is in the file."""
_UNREADABLE = (CRSError, DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError, pa.ArrowException)


@dataclass(frozen=True)
class Dataset:
    """A file that GDAL may open. Lives as long as `open_dataset`."""

    path: Path
    format: Format
    name: str
    """Of the file that the request named."""
    member: str | None
    """Where the dataset lies inside the archive, if it is one."""
    files: tuple[Path, ...]
    """What was uploaded: the file and what belongs to it, or the archive."""

    @property
    def stem(self) -> str:
        """What its layer is called where the format has no names for layers."""
        return Path(self.member or self.name).stem

    @property
    def size(self) -> int:
        """Bytes of what was uploaded."""
        return sum(file.stat().st_size for file in self.files)

    @property
    def modified(self) -> datetime:
        """When the youngest of its files was last written."""
        return datetime.fromtimestamp(max(file.stat().st_mtime for file in self.files), UTC).replace(microsecond=0)

    @property
    def stamp(self) -> str:
        """Differs once one of its files has been written again."""
        facts = [f"{file.suffix.lower()} {file.stat().st_size} {file.stat().st_mtime_ns}" for file in self.files]
        return hashlib.sha256("\n".join(facts).encode()).hexdigest()

    @contextmanager
    def hashing(self, check: Callable[[], None]) -> Iterator[Callable[[], str]]:
        """Within it the SHA-256 is on its way, in a thread of its own; what it is given waits for it."""
        left = Event()

        def go_on() -> None:
            check()
            if left.is_set():
                raise CancelledError

        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="hashing") as thread:
            digest = thread.submit(self.sha256, go_on)
            try:
                yield digest.result
            finally:
                left.set()

    def sha256(self, check: Callable[[], None]) -> str:
        """SHA-256 of its files, one after the other. `check` is called now and then, and may raise."""
        digest = hashlib.sha256()
        for path in self.files:
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
                    check()
        return digest.hexdigest()

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Within it, what GDAL cannot read is the file's fault, told without paths of this machine."""
        try:
            yield
        except pa.ArrowMemoryError as error:
            raise TaskError(
                "GEOMETRY_TOO_LARGE", f"{self.name} has a feature that alone is larger than a batch may be", category="data",
                field="source_path", value=self.name, remediation="Simplify or divide it, or upload the layer as a GeoPackage",
            ) from error  # fmt: skip
        except _UNREADABLE as error:
            told = str(error).replace(str(self.path), self.name).replace(str(self.path.parent), "").strip()
            raise TaskError(
                "SOURCE_UNREADABLE", f"{self.name} cannot be read as a {self.format.label}: {told}", category="data", field="source_path",
                value=self.name, remediation="Check that the file is complete and opens in other software, and upload it again",
            ) from error  # fmt: skip


@contextmanager
def open_dataset(storage: Storage, source_path: str, roots: Sequence[str], layer: str | None) -> Iterator[Dataset]:
    """The dataset that a request names; of an archive or a folder with several, the one that `layer` names."""
    with ExitStack() as stack:
        source = stack.enter_context(storage.open_source(source_path, roots, folders=True))
        dataset = _one_of_many(source, layer) if source.archive is not None or source.folder else _plain(source)
        if dataset.format in (Format.GEOPACKAGE, Format.SPATIALITE):
            _require_own_tables(dataset)
        yield dataset if dataset.format is not Format.GML else stack.enter_context(_aside(dataset))


def _plain(source: Source) -> Dataset:
    _require_literal(source.path, source.name)
    kind = formats.require(source.path, source.name)
    return Dataset(source.path, kind, source.name, None, _with_parts(source.path, kind, source.name))


def _one_of_many(source: Source, layer: str | None) -> Dataset:
    files = source.extract()
    if source.folder and formats.recognise(source.path) is not None:
        _require_literal(source.path, source.name)
        return Dataset(source.path, formats.require(source.path, source.name), source.name, None, source.folder)
    folders = {file.parent for file in files if file.name == "a00000001.gdbtable"}
    candidates = [file for file in files if file.parent not in folders and file.suffix.lower() in _DATASETS]
    found = sorted(file for file in (*folders, *candidates) if formats.recognise(file) is not None)
    named = [file for file in found if layer in (file.stem, file.name)]
    chosen = named if len(found) > 1 and named else _main(source, found)
    if not chosen:
        names = ", ".join(sorted({file.suffix.lower() or file.name for file in files})[:20])
        raise TaskError(
            "SOURCE_WRONG_FORMAT", f"{source.name} holds no dataset in a format that is taken; it holds {names}", category="data",
            field="source_path", value=source.name,
            remediation="Zip a shapefile with all its parts, or a GeoPackage, GeoJSON or FlatGeobuf",
        )  # fmt: skip
    if len(chosen) > 1:
        names = ", ".join(sorted(file.name for file in chosen)[:50])
        raise TaskError(
            "LAYER_AMBIGUOUS", f"{source.name} holds {len(chosen)} datasets: {names}", category="user", field="layer", value=layer,
            remediation="Name one of them as processing_config.layer, or send them one by one",
        )  # fmt: skip
    path = chosen[0]
    _require_literal(path, path.name)
    kind = formats.require(path, path.name)
    parts = _with_parts(path, kind, path.name)
    if source.archive is None:
        return Dataset(path, kind, source.name, path.relative_to(source.path).as_posix(), parts if path.is_file() else source.folder)
    member = next((name for name in source.archive.names if path.as_posix().endswith(f"/{name}")), path.name)
    return Dataset(path, kind, source.name, member, (source.path,))


def _main(source: Source, found: list[Path]) -> list[Path]:
    """Of the documents of a KMZ the first one, as the format says; else all."""
    if source.path.suffix.lower() != ".kmz" and source.name[-4:].lower() != ".kmz":
        return found
    first = next((name for name in source.archive.names if name.lower().endswith(".kml")), None) if source.archive else None
    return [file for file in found if first is not None and file.as_posix().endswith(f"/{first}")]


def _require_own_tables(dataset: Dataset) -> None:
    """Refuse an SQLite file with tables that are not in it: a virtual table may stand for any file of this machine."""
    try:
        with closing(sqlite3.connect(f"file:{quote(str(dataset.path))}?mode=ro", uri=True)) as connection:
            virtual = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql LIKE 'CREATE VIRTUAL TABLE%'").fetchall()
    except sqlite3.DatabaseError:
        # Broken; GDAL says how.
        return
    for name, statement in virtual:
        module = _MODULE.search(statement)
        if module is None or module[1].lower() not in _INDEXES:
            raise TaskError(
                "SOURCE_REFUSED", f"{dataset.name} has a virtual table, {name}, which is not in the file", category="data",
                field="source_path", value=dataset.name, remediation="Copy the layers to a new GeoPackage",
            )  # fmt: skip


@contextmanager
def _aside(dataset: Dataset) -> Iterator[Dataset]:
    """The same file from a folder of its own: GDAL writes what it learns of a GML beside it, and reads what lies there."""
    with tempfile.TemporaryDirectory(prefix="geomill-", dir=os.environ.get("GEOMILL_SCRATCH")) as folder:
        link = Path(folder, "source.gml")
        link.symlink_to(dataset.path)
        schema = dataset.path.with_suffix(".xsd")
        if schema.is_file() and not schema.is_symlink():
            link.with_suffix(".xsd").symlink_to(schema)
        yield replace(dataset, path=link)


def _require_literal(path: Path, name: str) -> None:
    """Refuse a path that pyogrio takes for something else than itself: of `a!/b/c.gpkg` it would open /b/c.gpkg."""
    if "!" in str(path) or vsi_path(str(path)) != str(path):
        raise TaskError(
            "SOURCE_NAME_REFUSED", f"{name!r} has a character in its name or in a folder's that is not taken", category="user",
            field="source_path", value=name, remediation="Use names without exclamation marks and line breaks",
        )  # fmt: skip


def _with_parts(path: Path, kind: Format, name: str) -> tuple[Path, ...]:
    """A file and what belongs to it. A part that is a link is refused: nobody has checked where it leads."""
    parts = [path]
    needed, optional = _PARTS.get(kind, ((), ()))
    for suffix in (*needed, *optional):
        part = next((one for one in (path.with_suffix(suffix), path.with_suffix(suffix.upper())) if one.is_symlink() or one.exists()), None)
        if part is None:
            if suffix in needed:
                raise TaskError(
                    "SOURCE_INCOMPLETE", f"{name} lies there without its {suffix}", category="data", field="source_path", value=name,
                    remediation=f"Upload all its parts ({', '.join((path.suffix, *needed, *optional))}) beside each other, or zipped",
                )  # fmt: skip
            continue
        if part.is_symlink():
            raise TaskError(
                "SOURCE_NOT_ALLOWED", f"{part.name} is a link", category="user", field="source_path", value=name,
                remediation=f"Put the file itself beside the {kind.label}",
            )  # fmt: skip
        parts.append(part)
    return tuple(parts)
