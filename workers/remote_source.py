"""Sources that are not on this machine: brought here as a whole, and then read like any other.

A source is read several times, and by libraries that would have their own idea of a URL; a copy is the same for all of them,
whichever store it came from. It lies in a folder of its own, with what stands beside it under the same name, and the worker
processes of a machine share it (copies).
"""

from __future__ import annotations

import os
import re
import shutil
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from workers import copies, https_source, object_store
from workers.copies import Copy
from workers.errors import TaskError

SCHEMES = (*object_store.SCHEMES, "https")
MOST_LISTED = 100_000
_MOST_BESIDE = 50
_MARGIN_BYTES = 256 * 1024**2
_DOTS = re.compile(r"(^|/)\.{1,2}(/|$)")


def is_remote(location: str) -> bool:
    """Whether a location is a URL of a store that is not this machine."""
    return location.partition("://")[0] in SCHEMES and "://" in location


def fetch(source_path: str, roots: Sequence[str], check: Callable[[], None]) -> tuple[Path, Copy]:
    """Bring a source here, or find it here; returns where it lies, and the copy, which is the caller's to close."""
    _require_allowed(source_path, roots)
    if source_path.startswith("https://"):
        name, copy = _copy_of_file(source_path, roots, check)
    else:
        name, copy = _copy_of_object(source_path, roots, check)
    path = copy.folder / name
    if path.stat().st_size == 0:
        copy.kept = False
        copy.close()
        raise _refused(source_path, "SOURCE_EMPTY", "it is empty (0 bytes)", "Upload the file again", category_is_data=True)
    return path, copy


def listed(source_path: str, roots: Sequence[str]) -> list[str]:
    """The sources below a prefix, sorted."""
    _require_allowed(source_path, roots)
    if source_path.startswith("https://"):
        raise _refused(source_path, "SOURCE_NOT_A_FOLDER", "https knows no folders", "Name the files, as a JSON array")
    bucket, prefix = object_store.split(source_path)
    found = []
    for one in object_store.listed(bucket, prefix):
        if one.size and not any(part.startswith(".") for part in one.key[len(prefix) :].split("/")):
            found.append(f"{bucket}/{one.key}")
        if len(found) > MOST_LISTED:
            raise _refused(source_path, "SOURCE_TOO_MANY", f"it holds more than {MOST_LISTED} files", "Split the collection")
    return sorted(found)


def _copy_of_file(url: str, roots: Sequence[str], check: Callable[[], None]) -> tuple[str, Copy]:
    """By https. What its host gives no version of is brought each time."""
    name = _file_name(unquote(urlsplit(url).path), url)
    version, size = https_source.version(url, roots)
    found = []

    def bring(folder: Path) -> None:
        _require_room(url, size)
        found.append(https_source.fetch(url, roots, folder / name, check))

    copy = copies.share([url, sorted(roots), version or uuid.uuid4().hex], size, bring, check)
    # Changed meanwhile, or its host does not stand by its word: what came is used, and not again.
    copy.kept &= version is not None and found in ([], [version])
    return name, copy


def _copy_of_object(source_path: str, roots: Sequence[str], check: Callable[[], None]) -> tuple[str, Copy]:
    """An object, and what stands beside it under the same name."""
    bucket, key = object_store.split(source_path)
    name = _file_name(key, source_path)
    found = object_store.find(bucket, key)
    if found is None:
        raise _refused(source_path, "SOURCE_NOT_FOUND", "it does not exist", "Upload the file, or correct source_path")
    # World files, masks, statistics; the parts of a shapefile.
    stem = f"{PurePosixPath(name).stem}."
    others = [one for one in object_store.beside(bucket, key) if one.key != key and PurePosixPath(one.key).name.startswith(stem)]
    together = [found, *others[:_MOST_BESIDE]]
    size = sum(one.size for one in together)

    def bring(folder: Path) -> None:
        _require_room(source_path, size)
        for one in together:
            target = folder / _file_name(one.key, source_path)
            object_store.fetch(bucket, one, target, check)
            # When it was written is the same wherever and however often it is brought.
            os.utime(target, (one.modified, one.modified))

    versions = [[one.key, one.size, one.version or uuid.uuid4().hex] for one in together]
    copy = copies.share([source_path, sorted(roots), versions], size, bring, check)
    copy.kept &= all(one.version is not None for one in together)
    return name, copy


def _require_room(source_path: str, size: int) -> None:
    """Refuse what does not fit beside the copies that are being read; the others make room."""
    for unused_seconds in (copies.UNUSED_SECONDS, 0.0):
        copies.sweep(unused_seconds)
        free = shutil.disk_usage(copies.place()).free
        if size + _MARGIN_BYTES <= free:
            return
    raise TaskError(
        "SCRATCH_FULL",
        f"{source_path} has {size} bytes, and {free} are free where it is to be brought",
        category="system",
        retryable=True,
        remediation="Make room, or let GEOMILL_SCRATCH name a larger disk",
    )


def _require_allowed(source_path: str, roots: Sequence[str]) -> None:
    """What SQL has judged as text, judged again where it is used."""
    scheme, _, below = source_path.partition("://")
    named = any(is_remote(root) and source_path.startswith(root if root.endswith("/") else f"{root}/") for root in roots)
    strange = not below.isprintable() or "\\" in below or "//" in below or "?" in below or "#" in below or _DOTS.search(below)
    encoded = scheme == "https" and re.search(r"%(2e|2f|5c|00)", below, re.IGNORECASE)
    if not named or strange or encoded:
        raise _refused(
            source_path,
            "SOURCE_NOT_ALLOWED",
            "it is not below a URL that this client may read",
            "Use a URL below one of the client's source roots (an administrator adds some by platform.allow_source_root)",
        )


def _file_name(key: str, source_path: str) -> str:
    name = key.rpartition("/")[2]
    if not name or name.startswith(".") or "/" in name or "\x00" in name or len(name.encode()) > 200:
        raise _refused(source_path, "SOURCE_NOT_A_FILE", "it does not end in the name of a file", "Name a file")
    return name


def _refused(source_path: str, code: str, why: str, remediation: str, *, category_is_data: bool = False) -> TaskError:
    return TaskError(
        code,
        f"{source_path}: {why}",
        category="data" if category_is_data else "user",
        field="source_path",
        value=source_path,
        remediation=remediation,
    )
