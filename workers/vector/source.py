"""From what a request names to the dataset that GDAL may open: one file, or one of an archive, and what belongs to it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FeatureError, FieldError, GeometryError
from pyogrio.util import vsi_path

from workers.errors import TaskError
from workers.storage import Source, Storage
from workers.vector import formats
from workers.vector.formats import Format

_BLOCK = 1024 * 1024
_NEEDED = (".shx", ".dbf")
_OPTIONAL = (".prj", ".cpg")
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
        except _UNREADABLE as error:
            told = str(error).replace(str(self.path), self.name).replace(str(self.path.parent), "").strip()
            raise TaskError(
                "SOURCE_UNREADABLE", f"{self.name} cannot be read as a {self.format.label}: {told}", category="data", field="source_path",
                value=self.name, remediation="Check that the file is complete and opens in other software, and upload it again",
            ) from error  # fmt: skip


@contextmanager
def open_dataset(storage: Storage, source_path: str, roots: Sequence[str], layer: str | None) -> Iterator[Dataset]:
    """The dataset that a request names; of an archive with several, the one that `layer` names."""
    with storage.open_source(source_path, roots) as source:
        yield _plain(source) if source.archive is None else _archived(source, layer)


def _plain(source: Source) -> Dataset:
    _require_literal(source.path, source.name)
    kind = formats.require(source.path, source.name)
    files = (source.path,) if kind is not Format.SHAPEFILE else _shapefile(source.path, source.name, may_link=False)
    return Dataset(source.path, kind, source.name, None, files)


def _archived(source: Source, layer: str | None) -> Dataset:
    files = source.extract()
    found = [file for file in files if file.suffix.lower() in formats.EXTENSIONS and formats.recognise(file) is not None]
    named = [file for file in found if layer in (file.stem, file.name)]
    candidates = named if len(found) > 1 and named else found
    if not candidates:
        names = ", ".join(sorted({file.suffix.lower() or file.name for file in files})[:20])
        raise TaskError(
            "SOURCE_WRONG_FORMAT", f"{source.name} holds no dataset in a format that is taken; it holds {names}", category="data",
            field="source_path", value=source.name,
            remediation="Zip a shapefile with all its parts, or a GeoPackage, GeoJSON or FlatGeobuf",
        )  # fmt: skip
    if len(candidates) > 1:
        names = ", ".join(sorted(file.name for file in candidates)[:50])
        raise TaskError(
            "LAYER_AMBIGUOUS", f"{source.name} holds {len(candidates)} datasets: {names}", category="user", field="layer", value=layer,
            remediation="Name one of them as processing_config.layer, or zip them one by one",
        )  # fmt: skip
    path = candidates[0]
    _require_literal(path, path.name)
    kind = formats.require(path, path.name)
    if kind is Format.SHAPEFILE:
        _shapefile(path, path.name, may_link=True)
    member = next((name for name in source.archive.names if path.as_posix().endswith(f"/{name}")), path.name) if source.archive else None
    return Dataset(path, kind, source.name, member, (source.path,))


def _require_literal(path: Path, name: str) -> None:
    """Refuse a path that pyogrio takes for something else than itself: of `a!/b/c.gpkg` it would open /b/c.gpkg."""
    if "!" in str(path) or vsi_path(str(path)) != str(path):
        raise TaskError(
            "SOURCE_NAME_REFUSED", f"{name!r} has a character in its name or in a folder's that is not taken", category="user",
            field="source_path", value=name, remediation="Use names without exclamation marks and line breaks",
        )  # fmt: skip


def _shapefile(path: Path, name: str, *, may_link: bool) -> tuple[Path, ...]:
    """A shapefile's parts. One that is a link is refused: nobody has checked where it leads."""
    parts = [path]
    for suffix in (*_NEEDED, *_OPTIONAL):
        part = next((one for one in (path.with_suffix(suffix), path.with_suffix(suffix.upper())) if one.is_symlink() or one.exists()), None)
        if part is None:
            if suffix in _NEEDED:
                raise TaskError(
                    "SOURCE_INCOMPLETE", f"{name} lies there without its {suffix}", category="data", field="source_path", value=name,
                    remediation="Upload all parts of the shapefile (.shp, .shx, .dbf, .prj, .cpg) beside each other, or zipped",
                )  # fmt: skip
            continue
        if part.is_symlink() and not may_link:
            raise TaskError(
                "SOURCE_NOT_ALLOWED", f"{part.name} is a link", category="user", field="source_path", value=name,
                remediation="Put the file itself beside the shapefile",
            )  # fmt: skip
        parts.append(part)
    return tuple(parts)
