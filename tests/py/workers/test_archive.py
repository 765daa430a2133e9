"""A zip from a stranger: what is plain is extracted, everything else is refused before a byte is written."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from workers import archive as archive_module
from workers.archive import Archive
from workers.errors import TaskError


def zipped(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def opened(path: Path) -> Archive:
    archive = Archive.of(path, str(path))
    assert archive is not None
    return archive


def refused(path: Path) -> str:
    with pytest.raises(TaskError) as caught:
        opened(path).extract()
    return caught.value.detail.code


def test_plain_files_are_extracted_and_removed(tmp_path: Path) -> None:
    archive = opened(zipped(tmp_path / "a.zip", {"a.shp": b"1", "sub/a.dbf": b"2", "__MACOSX/._a.shp": b"3", "sub/.DS_Store": b"4"}))
    assert archive.names == ["a.shp", "sub/a.dbf"]
    files = archive.extract()
    assert [file.read_bytes() for file in files] == [b"1", b"2"]
    assert archive.extract() == files
    archive.close()
    assert not any(file.exists() for file in files)


def test_what_is_no_zip_is_none(tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").write_bytes(b"SQLite format 3\x00")
    assert Archive.of(tmp_path / "a.gpkg", "a.gpkg") is None


def test_what_only_says_that_it_is_a_zip(tmp_path: Path) -> None:
    (tmp_path / "a.zip").write_bytes(b"not a zip")
    assert refused(tmp_path / "a.zip") == "ARCHIVE_CORRUPT"


def test_truncated(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.shp": b"1" * 1000})
    path.write_bytes(path.read_bytes()[:-30])
    assert refused(path) == "ARCHIVE_CORRUPT"


def test_damaged_content(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.shp": b"1234567890" * 10}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"1234567890", b"1234567899", 1))
    assert refused(path) == "ARCHIVE_CORRUPT"


@pytest.mark.parametrize("name", ["../a.shp", "/etc/a.shp", "a/../../b.shp", "a\\b.shp", "inner.zip", "x/inner.KMZ", "x.tar", "x.shz"])
def test_names_that_climb_and_archives_in_archives(tmp_path: Path, name: str) -> None:
    assert refused(zipped(tmp_path / "a.zip", {name: b"x"})) == "ARCHIVE_UNSAFE"
    assert not (tmp_path.parent / "a.shp").exists()


def test_links(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("a.shp")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert refused(tmp_path / "a.zip") == "ARCHIVE_UNSAFE"


def test_encrypted(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.shp": b"x"})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(content)
    assert refused(path) == "ARCHIVE_UNSAFE"


def test_a_bomb_by_ratio(tmp_path: Path) -> None:
    assert refused(zipped(tmp_path / "a.zip", {"a.shp": bytes(80 * 1024 * 1024)})) == "ARCHIVE_TOO_LARGE"


def test_a_bomb_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MOST_BYTES", 1000)
    assert refused(zipped(tmp_path / "a.zip", {"a": bytes(600), "b": bytes(600)}, zipfile.ZIP_STORED)) == "ARCHIVE_TOO_LARGE"


def test_a_bomb_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_module, "MOST_FILES", 3)
    assert refused(zipped(tmp_path / "a.zip", {str(number): b"" for number in range(4)})) == "ARCHIVE_TOO_LARGE"


def test_a_size_that_lies(tmp_path: Path) -> None:
    path = zipped(tmp_path / "a.zip", {"a.shp": b"x" * 5000})
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 10)
    path.write_bytes(content)
    assert refused(path) in {"ARCHIVE_TOO_LARGE", "ARCHIVE_CORRUPT"}


def test_nothing_in_it(tmp_path: Path) -> None:
    assert refused(zipped(tmp_path / "a.zip", {})) == "ARCHIVE_EMPTY"


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_one_name_twice_and_a_file_that_is_a_folder(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.shp", b"1")
        archive.writestr("a.shp", b"2")
    assert refused(tmp_path / "a.zip") == "ARCHIVE_CORRUPT"
    assert refused(zipped(tmp_path / "b.zip", {"a": b"1", "a/b": b"2"})) == "ARCHIVE_CORRUPT"


def test_a_refused_extraction_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("GEOMILL_SCRATCH", str(scratch))
    path = zipped(tmp_path / "a.zip", {"a": b"1", "a/b": b"2"})
    assert refused(path) == "ARCHIVE_CORRUPT"
    assert list(scratch.iterdir()) == []
