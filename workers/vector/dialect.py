"""How a delimited text is written: its encoding, and what stands between its fields."""

from __future__ import annotations

import codecs
import csv
from itertools import islice
from pathlib import Path

_DELIMITERS = "\t;|,"
_RECORDS = 50
_BLOCK = 4 * 1024 * 1024
_MARKS = ((b"\xef\xbb\xbf", "UTF-8-SIG"), (b"\xff\xfe", "UTF-16"), (b"\xfe\xff", "UTF-16"))


def looks_like_it(head: bytes, *, whole: bool) -> bool:
    """Whether a text that begins so is a table with a header, a row and two columns at least."""
    encoding = _encoding_of(head)
    if encoding != "UTF-16" and b"\x00" in head:
        return False
    return delimiter(head, encoding, whole=whole) is not None


def delimiter(head: bytes, encoding: str, *, whole: bool) -> str | None:
    """The delimiter that cuts the first records into the same number of fields, the most of them; None if there is none."""
    text = head.decode(encoding, errors="ignore")
    best: tuple[int, str] | None = None
    for candidate in _DELIMITERS:
        try:
            reader = csv.reader(text.splitlines(keepends=True), delimiter=candidate)
            records = list(islice(reader, _RECORDS))
        except csv.Error:
            continue
        # What was read may end within a record.
        complete = [record for record in (records if whole or len(records) == _RECORDS else records[:-1]) if record]
        widths = {len(record) for record in complete}
        usual = len(complete[0]) if complete else 0
        alike = sum(len(record) == usual for record in complete)
        # A malformed row or two among many is no other dialect.
        if len(complete) > 1 and usual > 1 and (len(widths) == 1 or alike * 2 > len(complete)) and (best is None or usual > best[0]):
            best = (usual, candidate)
    return None if best is None else best[1]


def encoding(path: Path) -> str:
    """The encoding of a whole file: by its mark, else UTF-8 if it is that to its end."""
    with path.open("rb") as file:
        head = file.read(_BLOCK)
        named = _encoding_of(head)
        if named != "UTF-8":
            return named
        decoder, controls = codecs.getincrementaldecoder("utf-8")(), False
        block = head
        try:
            while block:
                decoder.decode(block)
                block = file.read(_BLOCK)
            decoder.decode(b"", final=True)
            return "UTF-8"
        except UnicodeDecodeError:
            while block and not controls:
                controls = _has_controls(block)
                block = file.read(_BLOCK)
            return _single_byte(controls=controls)


def _encoding_of(head: bytes) -> str:
    for mark, name in _MARKS:
        if head.startswith(mark):
            return name
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return _single_byte(controls=_has_controls(head))
    return "UTF-8"


def _has_controls(block: bytes) -> bool:
    return any(0x80 <= byte <= 0x9F for byte in set(block))


def _single_byte(*, controls: bool) -> str:
    """Only Windows' own has printable characters between 0x80 and 0x9f."""
    return "CP1252" if controls else "ISO-8859-1"
