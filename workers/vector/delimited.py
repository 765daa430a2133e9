"""The layer in a delimited text (CSV): a header, a feature on each record, its geometry in one column or two.

Every value is a text there; what a column is, its values say (`widening`). GDAL is not asked: it takes a column's type from
the first megabyte, and hands out a point that it cannot read like one that is not there.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import shapely

from codegen.messages.request import VectorConfig
from codegen.messages.vector import Chunk, VectorPlan
from workers.errors import TaskError
from workers.geo_table import ColumnType, SourceColumn
from workers.vector import dialect, widening, wkb
from workers.vector.alterations import Alterations
from workers.vector.batches import Batch, Reject
from workers.vector.layer import Layer, Place
from workers.vector.source import Dataset
from workers.vector.widening import Seen
from workers.vector.wkb import Kinds

_HEAD = 64 * 1024
_ROWS = 5_000
_BYTES = 4 * 1024 * 1024
MOST_RECORD_BYTES = 64 * 1024 * 1024
_LATITUDES = ("latitude", "lat", "lat_dd", "decimallatitude", "decimal_latitude")
_LONGITUDES = ("longitude", "lon", "lng", "long", "lon_dd", "decimallongitude", "decimal_longitude")
_NORTHINGS = ("y", "y_coord", "ycoord", "northing")
_EASTINGS = ("x", "x_coord", "xcoord", "easting")
_TEXTS = ("wkt", "geom_wkt", "geometry_wkt", "wkt_geom", "the_geom", "geom", "geometry", "shape")
_SRID = re.compile(r"\s*SRID=([0-9]{1,6});", re.IGNORECASE)


class _Lines:
    """The lines of a file, and where the one after the last that was taken begins."""

    def __init__(self, path: Path, encoding: str, start: int = 0) -> None:
        self._file = path.open("rb")
        self._file.seek(start)
        self._encoding = encoding
        self.offset = start

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *exception: object) -> None:
        self._file.close()

    def __iter__(self) -> Iterator[str]:
        while line := self._file.readline(MOST_RECORD_BYTES):
            if len(line) == MOST_RECORD_BYTES:
                raise _unreadable(f"the line at byte {self.offset} is longer than {MOST_RECORD_BYTES} bytes")
            mark = 3 if self.offset == 0 and line.startswith(b"\xef\xbb\xbf") else 0
            self.offset += len(line)
            yield line[mark:].decode(self._encoding, errors="replace")


class _Wide(_Lines):
    """The lines of a text in UTF-16, where a line's end is no byte: parts of it are not found again."""

    def __iter__(self) -> Iterator[str]:
        with self._file as binary:
            text = binary.read(MOST_RECORD_BYTES + 1)
        if len(text) > MOST_RECORD_BYTES:
            raise _unreadable("it is in UTF-16 and too large for that", "Save it in UTF-8")
        yield from text.decode("UTF-16", errors="replace").splitlines(keepends=True)


def describe(dataset: Dataset, asked: VectorConfig) -> Layer:
    """What the file holds, by reading all of it."""
    encoding = dialect.encoding(dataset.path)
    with dataset.path.open("rb") as file:
        head = file.read(_HEAD)
    found = dialect.delimiter(head, encoding, whole=len(head) < _HEAD) or ","
    reading = {"encoding": encoding, "delimiter": found}
    header, data = _header(dataset.path, reading)
    reading |= _geometry_columns(header, asked)
    shapes = _Shapes(header, reading)
    seen = [Seen() for _ in header]
    kinds, srids, count = Kinds(), set[str](), 0
    places: list[Place] = []
    for records, offset in _records(dataset.path, reading, data):
        count += len(records)
        places.append(Place(count, offset))
        whole = [record for record in records if len(record) == len(header)]
        for column, values in zip(seen, zip(*whole, strict=True), strict=False):
            column.add_written(values)
        kinds |= wkb.kinds(pa.array(shapes.read(records, 0, []), pa.binary()))
        srids |= shapes.srids(whole)
    crs = "EPSG:4326" if "latitude" in reading and header[shapes.places[0]].strip().lower() not in _NORTHINGS else None
    return Layer(
        name=dataset.stem,
        columns=[SourceColumn(header[place], seen[place].type) for place in range(len(header)) if place not in shapes.hidden],
        kinds=kinds,
        features=count,
        records=count,
        crs=_one_crs(srids) or crs,
        crs_is_default=not srids and crs is not None,
        encoding=encoding if encoding in ("CP1252", "ISO-8859-1") else None,
        fid_column="",
        places=[] if encoding == "UTF-16" else places,
        reading={**reading, "data": str(data)},
    )


def read(dataset: Dataset, plan: VectorPlan, chunk: Chunk, altered: Alterations) -> Generator[Batch, None, None]:
    """The rows of a chunk: ids are positions in the file, from 0."""
    position, end, reading = chunk.start or 0, chunk.end, plan.reading
    header, data = _header(dataset.path, reading)
    shapes = _Shapes(header, reading)
    kept = [place for place in range(len(header)) if place not in shapes.hidden]
    for every, _ in _records(dataset.path, reading, chunk.offset or data):
        records = every if end is None else every[: end - position]
        if not records:
            return
        rejects: list[Reject] = []
        geometries = pa.array(shapes.read(records, position, rejects), pa.binary())
        whole = [record if len(record) == len(header) else [""] * len(header) for record in records]
        values = list(zip(*whole, strict=True))
        yield Batch(
            ids=pa.array(range(position, position + len(records)), pa.int64()),
            geometries=geometries,
            columns=[
                widening.convert_written(values[place], ColumnType(column.type), column.name, altered)
                for place, column in zip(kept, plan.columns, strict=True)
            ],
            kinds=wkb.kinds(geometries),
            rejects=rejects,
        )
        position += len(records)


class _Shapes:
    """Where the geometry is in a record, and what it is."""

    def __init__(self, header: Sequence[str], reading: dict[str, str]) -> None:
        self._width = len(header)
        self._as_text = "wkt" in reading
        names = [reading["wkt"]] if self._as_text else [reading["latitude"], reading["longitude"]]
        self.places = [list(header).index(name) for name in names]
        self.hidden = frozenset(self.places if self._as_text else ())
        """Columns that are nothing but the geometry."""
        self._decimal_comma = reading["delimiter"] != ","

    def read(self, records: Sequence[list[str]], first: int, rejects: list[Reject]) -> list[bytes | None]:
        """A geometry for each record; those that are none among the rejects."""
        for number, record in enumerate(records, start=first):
            if len(record) != self._width:
                rejects.append(Reject(number, "ROW_MALFORMED", f"it has {len(record)} fields, the header has {self._width}"))
        return self._texts(records, first, rejects) if self._as_text else self._points(records, first, rejects)

    def srids(self, records: Sequence[list[str]]) -> set[str]:
        """What the texts of geometries say of their CRS."""
        if not self._as_text:
            return set()
        matches = (_SRID.match(record[self.places[0]]) for record in records)
        return {match[1] for match in matches if match}

    def _points(self, records: Sequence[list[str]], first: int, rejects: list[Reject]) -> list[bytes | None]:
        points: list[bytes | None] = []
        for number, record in enumerate(records, start=first):
            point = None
            if len(record) == self._width and any(written := [record[place].strip() for place in self.places]):
                try:
                    latitude, longitude = map(self._number, written)
                    point = wkb.point(longitude, latitude)
                except ValueError:
                    shown = " and ".join(one[:50] or "nothing" for one in written)
                    rejects.append(Reject(number, "GEOMETRY_UNREADABLE", f"{shown} is no point"))
            points.append(point)
        return points

    def _number(self, text: str) -> float:
        number = float(text.replace(",", ".") if self._decimal_comma else text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number

    def _texts(self, records: Sequence[list[str]], first: int, rejects: list[Reject]) -> list[bytes | None]:
        written = [_SRID.sub("", record[self.places[0]], count=1).strip() if len(record) == self._width else "" for record in records]
        shapes = shapely.from_wkt([text or None for text in written], on_invalid="ignore")
        for number, (text, shape) in enumerate(zip(written, shapes, strict=True), start=first):
            if text and shape is None:
                rejects.append(Reject(number, "GEOMETRY_UNREADABLE", f"{text[:200]!r} is no WKT"))
        return list(shapely.to_wkb(shapes))


def _header(path: Path, reading: dict[str, str]) -> tuple[list[str], int]:
    """The names of the columns, and where the first record begins."""
    with _lines(path, reading, 0) as lines:
        for record in csv.reader(lines, delimiter=reading["delimiter"]):
            if record:
                return record, lines.offset
    raise _unreadable("it has no header")


def _records(path: Path, reading: dict[str, str], start: int) -> Iterator[tuple[list[list[str]], int]]:
    """Some records, and where the one after them begins."""
    csv.field_size_limit(MOST_RECORD_BYTES)
    with _lines(path, reading, start) as lines:
        reader, records, begun = csv.reader(lines, delimiter=reading["delimiter"]), [], lines.offset
        if isinstance(lines, _Wide):
            next(reader, None)
        try:
            for record in reader:
                if record:
                    records.append(record)
                if len(records) == _ROWS or lines.offset - begun > _BYTES:
                    yield records, lines.offset
                    records, begun = [], lines.offset
        except csv.Error as error:
            raise _unreadable(f"{error} (line {reader.line_num} from byte {start})") from error
        if records:
            yield records, lines.offset


def _lines(path: Path, reading: dict[str, str], start: int) -> _Lines:
    if reading["encoding"] == "UTF-16":
        return _Wide(path, "UTF-16")
    return _Lines(path, "UTF-8" if reading["encoding"] == "UTF-8-SIG" else reading["encoding"], start)


def _geometry_columns(header: list[str], asked: VectorConfig) -> dict[str, str]:
    """Which columns the geometry is in: as asked, else by their names."""
    if asked.wkt_column:
        return {"wkt": _named(header, asked.wkt_column, "wkt_column")}
    if asked.latitude_column or asked.longitude_column:
        return {
            "latitude": _named(header, asked.latitude_column, "latitude_column"),
            "longitude": _named(header, asked.longitude_column, "longitude_column"),
        }
    for ys, xs in ((_LATITUDES, _LONGITUDES), (_NORTHINGS, _EASTINGS)):
        latitudes, longitudes = _among(header, ys), _among(header, xs)
        if len(latitudes) == len(longitudes) == 1:
            return {"latitude": latitudes[0], "longitude": longitudes[0]}
    if texts := _among(header, _TEXTS):
        return {"wkt": texts[0]}
    raise TaskError(
        "GEOMETRY_COLUMNS_MISSING", f"No column is known to hold coordinates; there are {', '.join(header)[:1000]}", category="user",
        field="latitude_column",
        remediation="Name them: processing_config.latitude_column and longitude_column, or wkt_column",
    )  # fmt: skip


def _among(header: list[str], names: tuple[str, ...]) -> list[str]:
    return [name for name in header if name.strip().lower() in names]


def _named(header: list[str], name: str | None, key: str) -> str:
    if name not in header:
        raise TaskError(
            "GEOMETRY_COLUMNS_MISSING", f"There is no column {name}; there are {', '.join(header)[:1000]}" if name else f"{key} is missing",
            category="user", field=key, value=name, remediation="Name a column of the file's header, as it is written there",
        )  # fmt: skip
    return name


def _one_crs(srids: set[str]) -> str | None:
    if len(srids) > 1:
        raise TaskError(
            "CRS_MIXED", f"The geometries are in several CRS: SRID {', '.join(sorted(srids)[:10])}", category="data", field="source_path",
            remediation="Write one file for each, or transform them to one",
        )  # fmt: skip
    return f"EPSG:{srids.pop()}" if srids else None


def _unreadable(why: str, remedy: str = "Check that the file is complete and opens in other software, and upload it again") -> TaskError:
    return TaskError(
        "SOURCE_UNREADABLE", f"The file cannot be read as CSV: {why}", category="data", field="source_path", remediation=remedy,
    )  # fmt: skip
