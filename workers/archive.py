"""A zip from a stranger, opened safely.

Everything is checked from the directory of the archive before a byte is extracted, and again while extracting, since
the directory may lie about sizes. Refused: names that climb out, links and devices, encryption, archives in archives,
and what would explode.
"""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import IO

from codegen.messages.errors import Category
from workers.errors import TaskError

MOST_FILES = 10_000
MOST_BYTES = int(os.environ.get("GEOMILL_ARCHIVE_BYTES") or 64 * 1024**3)
MOST_RATIO = 200
_RATIO_COUNTS_FROM = 64 * 1024**2
_NESTED = (".zip", ".kmz", ".shz", ".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")
_NOT_DATA = ("__MACOSX/", ".DS_Store", "Thumbs.db")
_CLASHES = (FileExistsError, NotADirectoryError, IsADirectoryError)
"""What extracting raises when one member's name is another's, or another's folder. A full disk is our trouble, not the file's."""
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Archive:
    """A checked zip file. Its extracted files live until close."""

    def __init__(self, path: Path, source_path: str, members: list[zipfile.ZipInfo]) -> None:
        self._path = path
        self._source_path = source_path
        self._members = members
        self._folder: Path | None = None
        self._files: list[Path] = []

    @classmethod
    def of(cls, path: Path, source_path: str) -> Archive | None:
        """The archive at a path, checked; None if the file is no zip (by its name and its first bytes)."""
        with path.open("rb") as file:
            signature = file.read(4)
        if signature not in (b"PK\x03\x04", b"PK\x05\x06"):
            if path.suffix.lower() in (".zip", ".kmz"):
                raise _refused("ARCHIVE_CORRUPT", source_path, "it is no zip archive", "data", "Zip the files again")
            return None
        try:
            with zipfile.ZipFile(path) as archive:
                return cls(path, source_path, _checked(archive.infolist(), path.stat().st_size, source_path))
        except (zipfile.BadZipFile, OSError, NotImplementedError, ValueError) as error:
            raise _refused("ARCHIVE_CORRUPT", source_path, str(error), "data", "Zip the files again") from error

    @property
    def names(self) -> list[str]:
        """The names of its files, as the archive has them."""
        return [member.filename for member in self._members]

    def extract(self) -> list[Path]:
        """Extract every file to a folder of the archive's own (once), and return their paths."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="geomill-", dir=os.environ.get("GEOMILL_SCRATCH")))
            try:
                self._files = self._extract_to(self._folder)
            except BaseException:
                self.close()
                raise
        return list(self._files)

    def close(self) -> None:
        """Remove what was extracted."""
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __del__(self) -> None:
        self.close()

    def _extract_to(self, folder: Path) -> list[Path]:
        files = []
        try:
            with zipfile.ZipFile(self._path) as archive:
                for member in self._members:
                    target = folder.joinpath(*PurePosixPath(member.filename).parts)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    # "x": two members of one name, or a name that differs in case only, must not overwrite each other.
                    with archive.open(member) as packed, target.open("xb") as unpacked:
                        _copy(packed, unpacked, member, self._source_path)
                    files.append(target)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, *_CLASHES) as error:
            raise _refused("ARCHIVE_CORRUPT", self._source_path, str(error), "data", "Zip the files again") from error
        return files


def _checked(members: list[zipfile.ZipInfo], size: int, source_path: str) -> list[zipfile.ZipInfo]:
    if len(members) > MOST_FILES:
        raise _refused(
            "ARCHIVE_TOO_LARGE", source_path, f"it holds {len(members)} files; {MOST_FILES} are allowed", "user", "Split the archive"
        )
    files = []
    for member in members:
        _check(member, source_path)
        name = PurePosixPath(member.filename)
        if not member.is_dir() and not member.filename.startswith(_NOT_DATA) and name.name not in _NOT_DATA:
            files.append(member)
    # Members may overlap, so that the sum of their packed sizes is more than the file holds.
    unpacked, packed = sum(member.file_size for member in files), min(size, sum(member.compress_size for member in files))
    if unpacked > MOST_BYTES or (unpacked > _RATIO_COUNTS_FROM and unpacked > MOST_RATIO * packed):
        raise _refused(
            "ARCHIVE_TOO_LARGE",
            source_path,
            f"{packed} bytes would become {unpacked}",
            "user",
            "Send the files unpacked, or compressed less",
        )
    if not files:
        raise _refused("ARCHIVE_EMPTY", source_path, "it holds no file", "data", "Zip the files again")
    return files


def _check(member: zipfile.ZipInfo, source_path: str) -> None:
    raw = member.orig_filename
    path = PurePosixPath(member.filename)
    kind = stat.S_IFMT(member.external_attr >> 16)
    unsafe = None
    # zipfile cuts the name at a NUL; what it was before that is what another reader may see.
    if "\x00" in raw or "\\" in raw or path.is_absolute() or ".." in path.parts or not path.parts:
        unsafe = "has a name that leads out of the archive"
    elif kind and not (stat.S_ISREG(member.external_attr >> 16) or stat.S_ISDIR(member.external_attr >> 16)):
        unsafe = "is a link or a device"
    elif member.flag_bits & 0x1:
        unsafe = "is encrypted"
    elif path.suffix.lower() in _NESTED and not member.is_dir():
        unsafe = "is an archive in the archive"
    elif member.compress_type not in _METHODS:
        unsafe = f"is compressed by a method ({member.compress_type}) that is not allowed"
    if unsafe:
        raise _refused(
            "ARCHIVE_UNSAFE", source_path, f"{raw[:200]!r} {unsafe}", "user", "Zip plain files, without links, passwords or archives"
        )


def _copy(packed: IO[bytes], unpacked: IO[bytes], member: zipfile.ZipInfo, source_path: str) -> None:
    left = member.file_size
    while block := packed.read(1024 * 1024):
        left -= len(block)
        if left < 0:
            raise _refused(
                "ARCHIVE_TOO_LARGE", source_path, f"{member.filename!r} is larger than the archive says", "user", "Zip the files again"
            )
        unpacked.write(block)


def _refused(code: str, source_path: str, why: str, category: Category, remedy: str) -> TaskError:
    return TaskError(
        code, f"{source_path} was refused: {why}", category=category, field="source_path", value=source_path, remediation=remedy,
    )  # fmt: skip
