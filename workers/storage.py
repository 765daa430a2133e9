"""Where source bytes come from and artefacts go.

Nobody who reads a source or publishes an artefact knows which store it is (local files here; s3, az, gs by object_storage and
remote_source, https for sources only); nothing here knows what a raster is. An artefact is written under a name of the
attempt's own, hidden beside its final one,
and published by one rename: a reader sees the whole object or none. A key cannot name a place outside the root, and
removing a prefix cannot either.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self
from urllib.parse import quote, unquote, urlsplit

from codegen.connection import home
from codegen.messages.errors import Category
from workers import object_store, remote_source
from workers.archive import Archive
from workers.copies import Copy
from workers.errors import TaskError

_ATTEMPT = re.compile(r"^\.attempt-(?P<task_id>[0-9]+)-(?P<attempt>[0-9]+)-(?P<name>.+)$")
_LONGEST_NAME = 180
_SCHEME = re.compile(r"^[A-Za-z][A-Za-z0-9+.-]*:")
_MOST_LISTED = 100_000
_BLOCK = 4 * 1024**2


@dataclass(frozen=True)
class Source:
    """A local file that its client may read. A context manager: leaving it removes what was extracted.

    `path` has its links resolved and lies below an allowed root. Where it is a zip, `archive` has been checked (no
    climbing, links, encryption, nesting, bombs), so that GDAL may read it in place; `extract()` gives its files.
    """

    path: Path
    name: str
    size: int
    archive: Archive | None = None
    folder: tuple[Path, ...] = ()
    """The files of a folder, where it is one and whoever opened it takes those."""
    copy: Copy | None = None
    """Of a source from elsewhere."""

    def extract(self) -> list[Path]:
        """The files of the archive, extracted to a folder of their own; those of a folder; else the file itself."""
        if self.archive is not None:
            return self.archive.extract()
        return list(self.folder) or [self.path]

    def close(self) -> None:
        """Remove what was extracted, and let go what was brought here."""
        if self.archive is not None:
            self.archive.close()
        if self.copy is not None:
            self.copy.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@dataclass(frozen=True)
class Stored:
    """A file of the storage: its key, or for an attempt's file its name below the root."""

    name: str
    size: int


@dataclass(frozen=True)
class Attempt:
    """An attempt of a task at an artefact; `final` is where the artefact lies, or would lie, on this machine."""

    final: Path
    task_id: int
    attempt: int


@dataclass(frozen=True)
class Storage:
    """A root that artefacts are kept below, and the base of the URLs that they are known by."""

    root: Path
    base_url: str

    @classmethod
    def from_environment(cls) -> Storage:
        """GEOMILL_STORAGE and GEOMILL_PUBLIC_URL; by default `storage` in GEOMILL_HOME, and file URLs."""
        return cls.at(os.environ.get("GEOMILL_STORAGE") or home() / "storage", os.environ.get("GEOMILL_PUBLIC_URL"))

    @classmethod
    def at(cls, root: str | Path, base_url: str | None = None) -> Storage:
        """A storage at a folder, which is made if it is missing."""
        text = str(root)
        if text.startswith("file://"):
            text = unquote(urlsplit(text).path)
        elif text.startswith(tuple(f"{scheme}://" for scheme in object_store.SCHEMES)):
            from workers.object_storage import ObjectStorage

            return ObjectStorage.at_url(text, base_url)
        elif _SCHEME.match(text):
            raise _scheme_not_supported(text)
        folder = Path(text).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        real = folder.resolve(strict=True)
        return cls(root=real, base_url=(base_url or real.as_uri()).rstrip("/"))

    # Artefacts

    def path(self, key: str) -> Path:
        """Where the artefact of a key lies, or would lie."""
        return self.root.joinpath(*key_parts(key))

    def href(self, key: str) -> str:
        """The URL that the artefact of a key is known by."""
        return "/".join([self.base_url, *(quote(part) for part in key_parts(key))])

    def attempt_path(self, key: str, task_id: int, attempt: int) -> Path:
        """A path for one attempt to write to: hidden beside the final one, keeping its extension. Its folder exists."""
        final = self.path(key)
        _make_folder(self._inside(final.parent))
        return final.with_name(f".attempt-{task_id}-{attempt}-{final.name}")

    def publish(self, attempt_path: Path, key: str) -> str:
        """Make an attempt's file the artefact of its key, in one rename, and return its URL.

        Durable when it returns. Earlier attempts' files for the key go; publishing over an artefact replaces it.
        """
        final = self.path(key)
        ours = self.own_attempt(attempt_path, key)
        _sync(attempt_path)
        attempt_path.replace(final)
        # The name is durable only when its folder is; and the folder's own name only when its parent is.
        for folder in (final.parent, *final.parent.parents):
            if not folder.is_relative_to(self.root):
                break
            _sync(folder)
        self.clear_up(ours)
        return self.href(key)

    def own_attempt(self, attempt_path: Path, key: str) -> Attempt:
        """What `attempt_path` gave for a key; anything else is refused."""
        final = self.path(key)
        ours = _ATTEMPT.match(attempt_path.name)
        if ours is None or attempt_path.parent != final.parent or ours["name"] != final.name:
            raise ValueError(f"{attempt_path} is not what attempt_path gave for {key}")
        return Attempt(final, int(ours["task_id"]), int(ours["attempt"]))

    def clear_up(self, ours: Attempt) -> None:
        """Remove what this attempt and those before it left of the artefact."""
        start = f".attempt-{ours.task_id}-"
        for name in os.listdir(ours.final.parent):  # noqa: PTH208 (of a collection's thousands one or two are looked at)
            other = _ATTEMPT.match(name) if name.startswith(start) else None
            # A sidecar (name.aux.xml) begins with the artefact's name.
            if other is not None and int(other["attempt"]) <= ours.attempt and other["name"].startswith(ours.final.name):
                ours.final.with_name(name).unlink(missing_ok=True)

    def remove_prefix(self, prefix: str) -> int:
        """Remove everything below a prefix, attempts' files included; returns the number of files. Repeatable.

        Never leaves the root, follows no link, and refuses the root itself.
        """
        target = self._inside(self.path(prefix.rstrip("/")))
        if target.is_symlink() or not target.is_dir():
            existed = os.path.lexists(target)
            target.unlink(missing_ok=True)
            self._remove_empty(target.parent)
            return int(existed)
        files = sum(len(names) for _, _, names in os.walk(target))
        shutil.rmtree(target)
        self._remove_empty(target.parent)
        return files

    def listed(self, prefix: str) -> Iterator[Stored]:
        """The files below a prefix (all of them: ""), those of attempts too; no links, and nothing behind them."""
        below = self._inside(self.path(prefix.rstrip("/"))) if prefix else self.root
        for parent, folders, names in os.walk(below):
            folders.sort()
            for name in sorted(names):
                path = Path(parent) / name
                with suppress(FileNotFoundError):
                    status = path.lstat()
                    if stat.S_ISREG(status.st_mode):
                        yield Stored(path.relative_to(self.root).as_posix(), status.st_size)

    def found(self, key: str) -> Stored | None:
        """The artefact of a key, if it is there."""
        path = self._inside(self.path(key))
        return Stored(key, path.stat().st_size) if path.is_file() else None

    def sha256(self, key: str, check: Callable[[], None]) -> str | None:
        """The SHA-256 of the artefact of a key; None if it is not there. `check` is called meanwhile."""
        path = self._inside(self.path(key))
        if not path.is_file():
            return None
        digest = hashlib.sha256()
        with path.open("rb") as file:
            while block := file.read(_BLOCK):
                digest.update(block)
                check()
        return digest.hexdigest()

    def remove(self, stored: Stored) -> None:
        """Remove a file that was listed. One that is gone is no error."""
        path = self._inside(self.root / stored.name)
        path.unlink(missing_ok=True)
        self._remove_empty(path.parent)

    def _inside(self, path: Path) -> Path:
        """The same path, if no link on the way to it leads out of the root."""
        real = path.parent.resolve() / path.name
        if not real.is_relative_to(self.root):
            raise ValueError(f"{path} leads out of {self.root}")
        return path

    def _remove_empty(self, folder: Path) -> None:
        """Remove folders that became empty, but no client's own folder: another task may be about to use that."""
        while folder.is_relative_to(self.root) and len(folder.relative_to(self.root).parts) > 1:
            try:
                folder.rmdir()
            except OSError:
                return
            folder = folder.parent

    # Sources

    def open_source(
        self, source_path: str, roots: Sequence[str], *, folders: bool = False, check: Callable[[], None] = lambda: None
    ) -> Source:
        """The file at a path or URL that a stranger named, if it lies below an allowed root once links are resolved.

        What is elsewhere is brought here, `check` being called meanwhile.

        With `folders` also a folder, for formats that are one: its files, links among them refused.
        """
        if remote_source.is_remote(source_path):
            path, copy = remote_source.fetch(source_path, roots, check)
            try:
                archive = Archive.of(path, source_path)
            except BaseException:
                copy.kept = False
                copy.close()
                raise
            return Source(path=path, name=path.name, size=path.stat().st_size, archive=archive, copy=copy)
        real = _resolve(source_path, roots)
        if folders and real.is_dir():
            files = _files_of(real, source_path)
            size = sum(file.stat().st_size for file in files)
            return Source(path=real, name=PurePosixPath(_local(source_path)).name, size=size, folder=files)
        if not real.is_file():
            raise _refused(
                source_path,
                "SOURCE_NOT_A_FILE",
                f"{source_path} is not a regular file",
                "Name a file; a collection takes a JSON array of files or a prefix ending in a slash",
            )
        if not os.access(real, os.R_OK):
            raise _refused(
                source_path,
                "SOURCE_NOT_READABLE",
                f"{source_path} cannot be read by the worker",
                "Give the worker's operating-system user the right to read the file",
            )
        size = real.stat().st_size
        if size == 0:
            raise _refused(source_path, "SOURCE_EMPTY", f"{source_path} is empty (0 bytes)", "Upload the file again", category="data")
        return Source(path=real, name=PurePosixPath(_local(source_path)).name, size=size, archive=Archive.of(real, source_path))

    def list_sources(self, source_path: str, roots: Sequence[str]) -> list[str]:
        """The files that a collection's source_path names: a JSON array as it stands, or every file below a prefix, sorted.

        What it returns has not been checked one by one: each goes through open_source.
        """
        if source_path.lstrip().startswith("["):
            return _array(source_path)
        if not source_path.endswith("/"):
            return [source_path]
        if remote_source.is_remote(source_path):
            return remote_source.listed(source_path, roots)
        folder = _local(source_path)
        if not _resolve(source_path, roots).is_dir():
            raise _refused(
                source_path, "SOURCE_NOT_A_FOLDER", f"{source_path} is not a folder", "End the path of a folder, and only that, in a slash"
            )
        found: list[str] = []
        for parent, folders, names in os.walk(folder.rstrip("/")):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            found += [f"{parent}/{name}" for name in names if not name.startswith(".")]
            if len(found) > _MOST_LISTED:
                raise _refused(
                    source_path, "SOURCE_TOO_MANY", f"{source_path} holds more than {_MOST_LISTED} files", "Split the collection"
                )
        return sorted(found)


def _files_of(folder: Path, source_path: str) -> tuple[Path, ...]:
    """The files in a folder and below it, by name."""
    files: list[Path] = []
    for parent, folders, names in os.walk(folder):
        files += [Path(parent, name) for name in names]
        links = [name for name in (*folders, *names) if Path(parent, name).is_symlink()]
        if links:
            raise _refused(source_path, "SOURCE_NOT_ALLOWED", f"{links[0]} is a link", "Put the file itself into the folder")
        if len(files) > _MOST_LISTED:
            raise _refused(source_path, "SOURCE_TOO_MANY", f"{source_path} holds more than {_MOST_LISTED} files", "Name one dataset")
    if not files:
        raise _refused(source_path, "SOURCE_EMPTY", f"{source_path} holds no file", "Upload the files again", category="data")
    return tuple(sorted(files))


def key_parts(key: str) -> tuple[str, ...]:
    """The components of a key. A key comes from our own code: a bad one is a bug, or an attack that got this far."""
    parts = tuple(key.split("/"))
    for part in parts:
        if not part or part.startswith(".") or "\\" in part or not part.isprintable() or len(part.encode()) > _LONGEST_NAME:
            raise ValueError(f"{key!r} is not a key: {part!r} is not allowed in one")
    return parts


def _make_folder(folder: Path) -> None:
    for _ in range(3):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return
        except FileNotFoundError:  # a parent was empty, and another task's remove_prefix took it between two steps
            continue
    folder.mkdir(parents=True, exist_ok=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _local(location: str) -> str:
    """The path that a location names; another scheme than file is refused."""
    if location.startswith("file://"):
        url = urlsplit(location)
        if url.netloc not in ("", "localhost"):
            raise _scheme_not_supported(location)
        return unquote(url.path)
    if _SCHEME.match(location):
        raise _scheme_not_supported(location)
    return location


def _resolve(source_path: str, roots: Sequence[str]) -> Path:
    """The real path of a source. What lies outside the roots is refused whether it exists or not."""
    text = _local(source_path)
    path = PurePosixPath(text)
    if "\x00" in text or not path.is_absolute() or ".." in path.parts:
        raise _not_allowed(source_path)
    named = [Path(_local(root)) for root in roots if _is_local(root)]
    resolved = [root.resolve() for root in named if root.is_absolute()]
    if not any(path.is_relative_to(root) for root in [*named, *resolved] if root.is_absolute()):
        raise _not_allowed(source_path)
    try:
        real = Path(path).resolve(strict=True)
    except (FileNotFoundError, NotADirectoryError):
        raise _refused(
            source_path, "SOURCE_NOT_FOUND", f"{source_path} does not exist", "Upload the file, or correct source_path"
        ) from None
    except (OSError, RuntimeError) as error:  # a loop of links, a name too long, a folder that may not be entered
        raise _refused(
            source_path,
            "SOURCE_NOT_READABLE",
            f"{source_path} cannot be read by the worker: {error}",
            "Give the worker's operating-system user the right to read the file",
        ) from error
    if not any(real.is_relative_to(root) for root in resolved):
        raise _not_allowed(source_path)
    return real


def _is_local(root: str) -> bool:
    return root.startswith("file://") or not _SCHEME.match(root)


def _array(source_path: str) -> list[str]:
    try:
        paths = json.loads(source_path)
    except ValueError:
        paths = None
    if not isinstance(paths, list) or not paths or not all(isinstance(path, str) for path in paths):
        raise _refused(
            source_path,
            "SOURCE_PATH_MALFORMED",
            "source_path is no JSON array of paths",
            'Give a JSON array of strings, e.g. ["/data/a.tif", "/data/b.tif"]',
        )
    return [str(path) for path in paths]


def _not_allowed(source_path: str) -> TaskError:
    return _refused(
        source_path,
        "SOURCE_NOT_ALLOWED",
        f"{source_path} is not below a folder that this client may read",
        "Use an absolute path without .. below one of the client's source roots (an administrator adds some by platform.allow_source_root)",
    )


def _scheme_not_supported(location: str) -> TaskError:
    scheme = location.split(":", 1)[0]
    return _refused(
        location,
        "SCHEME_NOT_SUPPORTED",
        f"{scheme} is not a scheme that this worker reads",
        "Use an absolute path, or a URL with file, s3, az, gs or https",
    )


def _refused(source_path: str, code: str, message: str, remediation: str, category: Category = "user") -> TaskError:
    return TaskError(code, message, category=category, field="source_path", value=source_path, remediation=remediation)
