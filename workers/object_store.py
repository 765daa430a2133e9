"""Objects of S3, Azure Blob Storage and Google Cloud Storage, all by one library.

Credentials and endpoints come from where each platform's own tools look: the environment, a workload's identity, the
machine's metadata (AWS_*, AZURE_*, GOOGLE_*). None of them is in a URL, and none is ever said.

Requests are tried again by the library. What is read is read in ranges of one version of the object, so that a connection
that breaks costs a range, and an object that changes meanwhile is refused. What is written is complete or not there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import obstore
from obstore import exceptions
from obstore.store import from_url

from codegen.messages.errors import Category
from workers.errors import TaskError

if TYPE_CHECKING:
    from obstore.store import RetryConfig

SCHEMES = ("s3", "az", "gs")
RANGE_BYTES = 16 * 1024**2
PART_BYTES = 16 * 1024**2
RETRIES = 8
RETRY_SECONDS = 120
_REFUSED = re.compile(r"Error performing (?:list|bulk delete) request: Error performing \S+ .* status code: (\d{3})")


@dataclass(frozen=True)
class Found:
    """An object that is there; `key` is within its bucket."""

    key: str
    size: int
    version: str | None
    modified: float
    """When it was written, in seconds since 1970."""


def split(url: str) -> tuple[str, str]:
    """The bucket of a URL, as a URL, and the key in it."""
    scheme, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    return f"{scheme}://{bucket}", key


def find(bucket: str, key: str) -> Found | None:
    """The object of a key; None where there is none."""
    with _told(f"{bucket}/{key}"):
        try:
            return _found(obstore.head(_store(bucket), key))
        except FileNotFoundError:
            return None


def listed(bucket: str, prefix: str) -> Iterator[Found]:
    """The objects whose keys begin with a prefix that ends in a slash (all of them: "")."""
    with _told(f"{bucket}/{prefix}"):
        for batch in _store(bucket).list(prefix or None):
            yield from (_found(meta) for meta in batch)


def beside(bucket: str, key: str) -> list[Found]:
    """The objects in the folder of a key, without those in folders of it."""
    folder = key.rpartition("/")[0]
    with _told(f"{bucket}/{folder}/"):
        return [_found(meta) for meta in _store(bucket).list_with_delimiter(folder or None)["objects"]]


def fetch(bucket: str, found: Found, target: Path, check: Callable[[], None]) -> None:
    """Write an object to a local file, in ranges."""
    with _told(f"{bucket}/{found.key}"), target.open("wb") as file:
        for part in _ranges(bucket, found, check):
            file.write(part)
        if file.tell() != found.size:
            raise exceptions.PreconditionError(f"{file.tell()} bytes instead of {found.size}")


def sha256(bucket: str, found: Found, check: Callable[[], None]) -> str:
    """The SHA-256 of an object, read in ranges."""
    digest = hashlib.sha256()
    with _told(f"{bucket}/{found.key}"):
        for part in _ranges(bucket, found, check):
            digest.update(part)
    return digest.hexdigest()


def _ranges(bucket: str, found: Found, check: Callable[[], None]) -> Iterator[Any]:
    unchanged: obstore.GetOptions = {} if found.version is None else {"if_match": found.version}
    for start in range(0, found.size, RANGE_BYTES):
        check()
        end = min(start + RANGE_BYTES, found.size)
        yield obstore.get(_store(bucket), found.key, options={**unchanged, "range": (start, end)}).bytes()


def put(bucket: str, key: str, path: Path) -> None:
    """Write a local file to an object: readers see the old one, or none, until all of it is there."""
    with _told(f"{bucket}/{key}", writing=True):
        obstore.put(_store(bucket), key, path, chunk_size=PART_BYTES, attributes={"Content-Type": _media_type(key)})
        size = obstore.head(_store(bucket), key)["size"]
    if size != path.stat().st_size:
        raise _failed("STORAGE_INCOMPLETE", f"{bucket}/{key} has {size} bytes instead of {path.stat().st_size}", "system", retryable=True)


def delete(bucket: str, keys: list[str]) -> None:
    """Remove objects; one that is gone is no error."""
    if keys:
        with _told(f"{bucket}/{keys[0]}", writing=True):
            try:
                obstore.delete(_store(bucket), keys)
            except FileNotFoundError:
                # Azure and GCS say so of each that is gone, and the library ends there.
                for key in keys:
                    with suppress(FileNotFoundError):
                        obstore.delete(_store(bucket), key)


@lru_cache(maxsize=64)
def _store(bucket: str) -> Any:
    """The client of a bucket. Made at its first use, in the process that uses it: its threads do not survive a fork."""
    retry: RetryConfig = {"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_SECONDS)}
    if bucket.startswith("s3:"):
        # Parts are checked by the server as they arrive.
        return from_url(bucket, checksum_algorithm="SHA256", retry_config=retry)
    return from_url(bucket, retry_config=retry)


def _found(meta: Any) -> Found:
    return Found(meta["path"], meta["size"], meta["e_tag"], meta["last_modified"].timestamp())


def _media_type(key: str) -> str:
    if key.endswith((".tif", ".tiff")):
        return "image/tiff; application=geotiff; profile=cloud-optimized"
    return "application/json" if key.endswith(".json") else "application/xml" if key.endswith(".xml") else "application/octet-stream"


@contextmanager
def _told(url: str, *, writing: bool = False) -> Iterator[None]:
    """The library's errors, as whoever has to mend them wants them."""
    whose: Category = "system" if writing else "user"
    try:
        yield
    except exceptions.PreconditionError as error:
        raise _failed("SOURCE_CHANGED", f"{url} changed while it was read", "user", retryable=True) from error
    except (exceptions.BaseError, FileNotFoundError) as error:
        status = _status(error)
        if status in (401, 403):
            raise _failed(
                "SOURCE_NOT_READABLE" if not writing else "STORAGE_NOT_WRITABLE", f"{url}: the workers have no right", whose
            ) from error
        if status == 404:
            raise _failed("SOURCE_NOT_FOUND" if not writing else "STORAGE_NOT_WRITABLE", f"{url} is not there", whose) from error
        raise _failed("STORAGE_UNAVAILABLE", f"{url} cannot be reached", "system", retryable=True) from error


def _status(error: Exception) -> int | None:
    """What the store answered; None where it did not. Of many objects at once the library says it in its message alone."""
    if isinstance(error, FileNotFoundError):
        return 404
    if isinstance(error, exceptions.PermissionDeniedError | exceptions.UnauthenticatedError):
        return 403
    told = _REFUSED.search(str(error))
    return int(told[1]) if told else None


_REMEDIES = {
    "SOURCE_NOT_READABLE": "Give the workers' identity the right to read it",
    "STORAGE_NOT_WRITABLE": "Make the bucket that GEOMILL_STORAGE names, and give the workers' identity the right to write to it",
    "SOURCE_CHANGED": "Leave the object alone while it is read",
    "SOURCE_NOT_FOUND": "Upload the object, or correct source_path",
    "STORAGE_UNAVAILABLE": "Nothing, if it passes: the task is tried again; else look at endpoint, region and network",
    "STORAGE_INCOMPLETE": "Nothing, if it passes: the task is tried again",
}


def _failed(code: str, message: str, category: Category, *, retryable: bool = False) -> TaskError:
    return TaskError(
        code,
        message,
        category=category,
        retryable=retryable,
        field="source_path" if code.startswith("SOURCE") else None,
        remediation=_REMEDIES[code],
    )
