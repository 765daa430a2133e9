"""GeoJSON as it lies in the file, a few megabytes at a time: one collection, or a feature on each line.

GDAL is not asked: it makes floats of integers that are too large for it, moves days that do not exist, and hands out a
geometry that it cannot read like one that is not there. Here every value is what the file says, every feature that cannot
be used says why, and a part of a file can be read without what is before it.

Pieces of text are cut where one feature seems to end and the next to begin, and parsed whole; where that fails, feature by
feature. Offsets are in bytes.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import orjson

from workers.errors import TaskError

_BLOCK = 2 * 1024 * 1024
MOST_FEATURE_BYTES = 32 * 1024 * 1024
"""Text of one feature. Parsed, it takes several times as much."""
_BETWEEN = b" \t\r\n,"
_SPACE = b" \t\r\n"
_SEAM = re.compile(rb'\}\s*,\s*\{\s*"type"\s*:\s*"Feature"')
_LONG_NUMBER = re.compile(rb"[:\[,\s-][0-9]{19}")
_LONGEST_WORD = 64
"""An error so near to the end of what was read may be nothing but that end."""
_RECORD = b"\x1e"
_UTF8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Broken:
    """What stands where a feature should, and is none."""

    reason: str


@dataclass(frozen=True)
class Piece:
    """Some features, one after the other."""

    features: list[Any]
    end: int
    """Offset of what follows the last of them."""
    latin: bool
    """Whether its text was no UTF-8, and was read as ISO-8859-1."""


def collection(path: Path, start: int | None = None) -> Iterator[Piece | dict[str, Any]]:
    """The features of a collection; after the last piece, the other members of the file.

    From `start` (the end of a piece) only what follows it, and no members.
    """
    with path.open("rb") as file:
        text = _Text(file, start or 0)
        members: dict[str, Any] = {}
        if start is None and not _seek_features(text, members):
            yield Piece([members], text.offset, text.latin)
            yield {}
            return
        while not text.skip(_BETWEEN).startswith(b"]"):
            yield _piece(text)
        if start is None:
            text.take(1)
            _members(text, members)
            yield members


def lines(path: Path, start: int | None = None) -> Iterator[Piece]:
    """The features of a file that has one on each line, or one after each record separator."""
    with path.open("rb") as file:
        separator = _RECORD if file.read(len(_UTF8_MARK) + 1).removeprefix(_UTF8_MARK).startswith(_RECORD) else b"\n"
        offset = start or 0
        file.seek(offset)
        rest = b""
        while block := file.read(_BLOCK):
            whole, found, rest = (rest + block).rpartition(separator)
            offset += len(whole) + len(found)
            if whole:
                yield _of_lines(whole.split(separator), offset)
            _require_size(len(rest), offset)
        if rest.strip():
            yield _of_lines(rest.split(separator), offset + len(rest))


def _of_lines(records: list[bytes], end: int) -> Piece:
    written = [record for record in (one.removeprefix(_UTF8_MARK).strip() for one in records) if record]
    try:
        features, latin = _parse(b"[" + b",".join(written) + b"]")
        if len(features) == len(written):
            return Piece(features, end, latin)
    except ValueError:
        pass
    features, any_latin = [], False
    for record in written:
        try:
            feature, latin = _parse(record)
            features.append(feature)
            any_latin |= latin
        except ValueError as error:
            features.append(Broken(f"it is not JSON: {error}"))
    return Piece(features, end, any_latin)


class _Text:
    """The text ahead in a file, as bytes."""

    def __init__(self, file: IO[bytes], offset: int) -> None:
        file.seek(offset)
        self._file = file
        self.ahead = b""
        self.offset = offset
        self.latin = False

    def more(self) -> bool:
        """Read on; whether there was anything."""
        _require_size(len(self.ahead), self.offset)
        # Twice as much each time, so that a long value is not parsed again for each block of it.
        block = self._file.read(min(max(_BLOCK, len(self.ahead)), MOST_FEATURE_BYTES - len(self.ahead)))
        self.ahead += block
        return bool(block)

    def take(self, length: int) -> bytes:
        """Step over so many bytes."""
        taken, self.ahead = self.ahead[:length], self.ahead[length:]
        self.offset += length
        return taken

    def skip(self, characters: bytes) -> bytes:
        """Step over these characters; what is ahead then, which is something."""
        while True:
            self.take(len(self.ahead) - len(self.ahead.lstrip(characters)))
            if self.ahead:
                return self.ahead
            if not self.more():
                raise _malformed("the text ends before its last bracket", self.offset)

    def expect(self, character: bytes) -> None:
        """Step over this character, which has to come next."""
        if not self.skip(_SPACE).startswith(character):
            raise _malformed(f"{character.decode()} was expected", self.offset)
        self.take(1)

    def value(self) -> Any:
        """Step over one value of JSON, and return it."""
        self.skip(_SPACE)
        while (end := self._end_of_value()) is None:
            if not self.more():
                raise _malformed("the text ends inside a value", self.offset)
        value, latin = _parse(self.take(end))
        self.latin |= latin
        return value

    def _end_of_value(self) -> int | None:
        """Where the value that is ahead ends; None if its end is not ahead yet."""
        try:
            # In ISO-8859-1 a character is a byte: the structure of JSON is the same, and places are offsets.
            _, end = _DECODER.raw_decode(self.ahead.decode("latin-1"))
        except json.JSONDecodeError as error:
            if not error.msg.startswith("Unterminated") and error.pos < len(self.ahead) - _LONGEST_WORD:
                raise _malformed(error.msg, self.offset + error.pos) from error
            return None
        except RecursionError as error:
            raise _malformed("it is nested too deeply", self.offset) from error
        # A number may go on in the next block.
        return None if end == len(self.ahead) and self.ahead[-1:] not in (b"}", b"]", b'"') and self.more() else int(end)


_DECODER = json.JSONDecoder()


def _seek_features(text: _Text, members: dict[str, Any]) -> bool:
    """Step to the first element of the collection's array; False if there is none, and `members` is the whole of it."""
    if text.skip(_SPACE + _UTF8_MARK).startswith(b"["):
        raise _malformed("an array is no GeoJSON", text.offset)
    text.expect(b"{")
    return _members(text, members)


def _members(text: _Text, members: dict[str, Any]) -> bool:
    """Read members of the outermost object until its end (False), or to the first element of `features` (True)."""
    while not text.skip(_BETWEEN).startswith(b"}"):
        key = text.value()
        text.expect(b":")
        if key == "features" and text.skip(_SPACE).startswith(b"["):
            text.take(1)
            return True
        members[str(key)] = text.value()
    text.take(1)
    return False


def _piece(text: _Text) -> Piece:
    """Some elements of the array, at least one."""
    if len(text.ahead) < _BLOCK:
        text.more()
    seams = list(_SEAM.finditer(text.ahead))
    if seams:
        seam = seams[-1]
        try:
            features, latin = _parse(b"[" + text.ahead[: seam.start() + 1] + b"]")
            text.take(seam.start() + 1)
            return Piece(features, text.offset, latin)
        except ValueError:
            # The seam was in a text or in a nested object; or the file is broken, which reading one by one will say.
            pass
    return _one_by_one(text)


def _one_by_one(text: _Text) -> Piece:
    latin_text = text.ahead.decode("latin-1")
    position, features, latin = 0, [], False
    while True:
        while position < len(latin_text) and latin_text[position] in " \t\r\n,":
            position += 1
        if position == len(latin_text) or latin_text[position] == "]":
            break
        try:
            _, end = _DECODER.raw_decode(latin_text, position)
        except (ValueError, RecursionError):
            break
        feature, is_latin = _parse(text.ahead[position:end])
        features.append(feature)
        latin |= is_latin
        position = end
    if not features:
        features.append(text.value())
        return Piece(features, text.offset, text.latin)
    text.take(position)
    return Piece(features, text.offset, latin)


def _parse(text: bytes) -> tuple[Any, bool]:
    """A value of JSON, integers of any length; and whether its text had to be read as ISO-8859-1."""
    # The quick parser makes floats of integers beyond 64 bits.
    if _LONG_NUMBER.search(text) is None:
        # A million lists look like garbage to the collector, which would look at all of them again and again.
        collecting = gc.isenabled()
        gc.disable()
        try:
            return orjson.loads(text), False
        except ValueError:
            pass
        finally:
            if collecting:
                gc.enable()
    try:
        return json.loads(text.decode()), False
    except UnicodeDecodeError:
        return json.loads(text.decode("latin-1")), True
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _require_size(length: int, offset: int) -> None:
    if length >= MOST_FEATURE_BYTES:
        raise TaskError(
            "FEATURE_TOO_LARGE", f"The feature at byte {offset} has {MOST_FEATURE_BYTES} bytes of text or more", category="data",
            field="source_path", remediation="Simplify or divide its geometry, or upload the layer as a GeoPackage",
        )  # fmt: skip


def _malformed(why: str, offset: int) -> TaskError:
    return TaskError(
        "SOURCE_UNREADABLE", f"The file cannot be read as GeoJSON at byte {offset}: {why}", category="data", field="source_path",
        remediation="Check that the file is complete and opens in other software, and upload it again",
    )  # fmt: skip
