"""Sources and artefacts in an Azure container: what S3 shows in test_object_storage, against Azurite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.py.support import azure
from tests.py.support.s3 import Bucket
from workers import copies, object_store
from workers.errors import TaskError
from workers.storage import Storage, Stored

pytestmark = [pytest.mark.slow, pytest.mark.skipif(not azure.is_installed(), reason="npm install -g azurite@3.37.0")]

CONTENT = bytes(range(256)) * 4000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bucket]:
    with azure.container(tmp_path_factory.mktemp("azurite")) as one:
        yield one


@pytest.fixture
def container(server: Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The container's URL; this process may use it, and brings sources to a folder of the test's own."""
    for name, value in (server.environment | {"GEOMILL_SCRATCH": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    object_store._store.cache_clear()
    yield server.url
    object_store.delete(server.url, [found.key for found in object_store.listed(server.url, "")])
    object_store._store.cache_clear()


def test_in_parts_there_and_in_ranges_back(container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "PART_BYTES", 300_000)
    monkeypatch.setattr(object_store, "RANGE_BYTES", 100_000)
    path = tmp_path / "a b.tif"
    path.write_bytes(CONTENT)
    object_store.put(container, "in/a b.tif", path)
    path.write_bytes(b"beside")
    object_store.put(container, "in/a b.tfw", path)
    with Storage.at(tmp_path / "out").open_source(f"{container}/in/a b.tif", [f"{container}/in/"]) as source:
        assert source.path.read_bytes() == CONTENT
        assert source.path.with_suffix(".tfw").read_bytes() == b"beside"
    copies.sweep(0)
    with pytest.raises(TaskError) as caught:
        Storage.at(tmp_path / "out").open_source(f"{container}/in/none.tif", [f"{container}/in/"])
    assert caught.value.detail.code == "SOURCE_NOT_FOUND"


def test_what_changes_while_it_is_read_is_refused(container: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(object_store, "RANGE_BYTES", 100_000)
    path = tmp_path / "a.tif"
    path.write_bytes(CONTENT)
    object_store.put(container, "a.tif", path)
    for listed in (False, True):
        found = next(object_store.listed(container, "")) if listed else object_store.find(container, "a.tif")
        assert found is not None
        object_store.fetch(container, found, tmp_path / "copy", lambda: None)
        assert (tmp_path / "copy").read_bytes() == CONTENT
        with pytest.raises(TaskError) as caught:
            object_store.fetch(container, found, tmp_path / "copy", lambda: object_store.put(container, "a.tif", path))
        assert caught.value.detail.code == "SOURCE_CHANGED"


def test_artefacts_are_published_listed_and_removed(container: str) -> None:
    storage = Storage.at(f"{container}/out")
    of_first, of_second = "client/request/r1/cog.tif", "client/request/r2/cog.tif"
    for key, content in ((of_first, b"old"), (of_first, CONTENT), (of_second, b"new")):
        attempt = storage.attempt_path(key, 7, 1)
        attempt.write_bytes(content)
        assert storage.publish(attempt, key) == f"{container}/out/{key}"
        assert not attempt.exists()
    assert list(storage.listed("client/request")) == [Stored(of_first, len(CONTENT)), Stored(of_second, 3)]
    assert storage.found(of_first) == Stored(of_first, len(CONTENT))
    assert storage.found("client/request/r1/none.tif") is None
    assert (storage.remove_prefix("client/request/r1"), storage.remove_prefix("client/request/r1")) == (1, 0)
    [left] = storage.listed("")
    storage.remove(left)
    storage.remove(left)
    assert list(storage.listed("")) == []


def test_one_that_is_gone_is_no_error_among_others(container: str, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    for key in ("one", "three"):
        object_store.put(container, key, tmp_path / "a")
    object_store.delete(container, ["one", "two", "three"])
    assert list(object_store.listed(container, "")) == []
