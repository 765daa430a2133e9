"""Sources and artefacts in a bucket: the same behaviour as on this machine, whichever store it is.

S3 by moto's server, Google Cloud Storage by the same behind a door of its own (support/gcs), Azure Blob Storage by Azurite.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import Mock

import pytest

from tests.py.support import azure, gcs, s3
from workers import copies, object_store, remote_source
from workers.errors import TaskError
from workers.storage import Storage, Stored
from workers.storage_probe import look_at

KEY = "client/request/r1/cog.tif"


AZURITE = [pytest.mark.slow, pytest.mark.skipif(not azure.is_installed(), reason="npm install -g azurite@3.37.0")]


@pytest.fixture(scope="module", params=["s3", "gs", pytest.param("az", marks=AZURITE)])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[s3.Bucket]:
    folder = tmp_path_factory.mktemp("server")
    stores = {"s3": s3.bucket(), "gs": gcs.bucket(folder), "az": azure.container(folder)}
    with stores[request.param] as bucket:
        yield bucket


@pytest.fixture
def bucket(server: s3.Bucket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[str]:
    """The bucket's URL; this process may use it, and brings sources to a folder of the test's own."""
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "scratch").mkdir()
    monkeypatch.setenv("GEOMILL_SCRATCH", str(tmp_path / "scratch"))
    object_store._store.cache_clear()
    yield server.url
    object_store.delete(server.url, [found.key for found in object_store.listed(server.url, "")])
    object_store._store.cache_clear()


@contextmanager
def otherwise(settings: dict[str, str]) -> Iterator[None]:
    """The store under other settings, and nothing tried again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(object_store, "RETRIES", 0)
        for name, value in settings.items():
            patch.setenv(name, value)
        object_store._store.cache_clear()
        yield
    object_store._store.cache_clear()


def upload(bucket: str, key: str, content: bytes, folder: Path) -> None:
    (folder / "upload").write_bytes(content)
    object_store.put(bucket, key, folder / "upload")


def told(error: TaskError) -> tuple[str, str, bool]:
    return error.detail.code, error.detail.category, error.detail.retryable


def brought(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "scratch").rglob("*") if path.is_file() and path.suffix != ".lock")


class TestSources:
    def test_an_object_is_brought_here_with_what_is_beside_it(self, bucket: str, tmp_path: Path) -> None:
        for name in ("a b.tif", "a b.tif.aux.xml", "a b.tfw", "other.tif", "sub/a b.prj"):
            upload(bucket, f"in/{name}", name.encode(), tmp_path)
        storage = Storage.at(tmp_path / "storage")
        with storage.open_source(f"{bucket}/in/a b.tif", [f"{bucket}/in/"]) as source:
            assert (source.name, source.size, source.path.read_bytes()) == ("a b.tif", 7, b"a b.tif")
            assert brought(tmp_path) == ["a b.tfw", "a b.tif", "a b.tif.aux.xml"]
            found = object_store.find(bucket, "in/a b.tif")
            assert found is not None
            assert source.path.stat().st_mtime == found.modified, "wherever and however often it is brought"
        copies.sweep(0)
        assert brought(tmp_path) == []

    def test_an_object_is_brought_once_until_it_changes(self, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        bring = Mock(side_effect=object_store.fetch)
        monkeypatch.setattr(object_store, "fetch", bring)
        storage, url = Storage.at(tmp_path / "storage"), f"{bucket}/in/a.tif"

        def read(*roots: str) -> tuple[bytes, int]:
            with storage.open_source(url, [f"{bucket}/{root}" for root in roots]) as source:
                return source.path.read_bytes(), bring.call_count

        upload(bucket, "in/a.tif", b"one", tmp_path)
        assert [read("in/"), read("in/")] == [(b"one", 1), (b"one", 1)]
        assert read("in/", "more/") == (b"one", 2), "who may read other places has a copy of his own"
        upload(bucket, "in/a.tif", b"two", tmp_path)
        assert [read("in/"), read("in/")] == [(b"two", 3), (b"two", 3)]
        upload(bucket, "in/a.tfw", b"beside", tmp_path)
        assert read("in/") == (b"two", 5), "with what is beside it now"
        with pytest.raises(TaskError, match="not below"):
            read("other/")

    def test_large_objects_come_in_ranges_of_one_version(self, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(object_store, "RANGE_BYTES", 1000)
        content = bytes(range(256)) * 40
        upload(bucket, "large.bin", content, tmp_path)
        found = [object_store.find(bucket, "large.bin"), next(object_store.listed(bucket, "")), *object_store.beside(bucket, "other")]
        for one in found:
            assert one is not None
            object_store.fetch(bucket, one, tmp_path / "copy", lambda: None)
            assert (tmp_path / "copy").read_bytes() == content
        calls = iter(range(100))

        def change() -> None:
            if next(calls) == 3:
                upload(bucket, "large.bin", content[::-1], tmp_path)

        with pytest.raises(TaskError) as caught:
            object_store.fetch(bucket, next(object_store.listed(bucket, "")), tmp_path / "copy", change)
        assert told(caught.value) == ("SOURCE_CHANGED", "user", True)

    @pytest.mark.parametrize(
        ("path", "code"),
        [
            ("in/none.tif", "SOURCE_NOT_FOUND"),
            ("elsewhere/a.tif", "SOURCE_NOT_ALLOWED"),
            ("in/../elsewhere/a.tif", "SOURCE_NOT_ALLOWED"),
            ("in//a.tif", "SOURCE_NOT_ALLOWED"),
            ("in/a.tif?versionId=1", "SOURCE_NOT_ALLOWED"),
            ("in/empty.tif", "SOURCE_EMPTY"),
            ("in/bad.zip", "ARCHIVE_CORRUPT"),
            ("in/", "SOURCE_NOT_A_FILE"),
        ],
    )
    def test_what_is_refused_leaves_nothing_here(self, path: str, code: str, bucket: str, tmp_path: Path) -> None:
        for name, content in (("a.tif", b"x"), ("empty.tif", b""), ("bad.zip", b"no zip")):
            upload(bucket, f"in/{name}", content, tmp_path)
        with pytest.raises(TaskError) as caught:
            Storage.at(tmp_path / "storage").open_source(f"{bucket}/{path}", [f"{bucket}/in/"])
        assert caught.value.detail.code == code
        assert caught.value.detail.remediation
        assert brought(tmp_path) == []

    def test_a_prefix_lists_its_objects(self, bucket: str, tmp_path: Path) -> None:
        for name in ("b.tif", "a.tif", "sub/c.tif", ".hidden", "empty.tif"):
            upload(bucket, f"in/{name}", b"" if name.startswith("empty") else b"x", tmp_path)
        upload(bucket, "inside/x.tif", b"x", tmp_path)
        storage = Storage.at(tmp_path / "storage")
        assert storage.list_sources(f"{bucket}/in/", [f"{bucket}/in/"]) == [
            f"{bucket}/in/{name}" for name in ("a.tif", "b.tif", "sub/c.tif")
        ]
        with pytest.raises(TaskError, match="not below"):
            storage.list_sources(f"{bucket}/inside/", [f"{bucket}/in/"])

    def test_a_prefix_of_too_many_objects(self, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(remote_source, "MOST_LISTED", 2)
        storage = Storage.at(tmp_path / "storage")
        for name in ("a.tif", "b.tif"):
            upload(bucket, f"in/{name}", b"x", tmp_path)
        assert len(storage.list_sources(f"{bucket}/in/", [f"{bucket}/in/"])) == 2
        upload(bucket, "in/c.tif", b"x", tmp_path)
        with pytest.raises(TaskError) as caught:
            storage.list_sources(f"{bucket}/in/", [f"{bucket}/in/"])
        assert (caught.value.detail.code, caught.value.detail.category) == ("SOURCE_TOO_MANY", "user")

    def test_without_room_nothing_is_brought_and_it_is_tried_again_later(
        self, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        upload(bucket, "in/a.tif", b"x", tmp_path)
        monkeypatch.setattr(remote_source, "_MARGIN_BYTES", shutil.disk_usage(tmp_path).total)
        with pytest.raises(TaskError) as caught:
            Storage.at(tmp_path / "storage").open_source(f"{bucket}/in/a.tif", [f"{bucket}/in/"])
        said = caught.value.detail
        assert (said.code, said.category, said.retryable) == ("SCRATCH_FULL", "system", True)
        assert list(copies.place().iterdir()) == []

    def test_a_store_that_does_not_answer_is_tried_again_later(self, bucket: str, server: s3.Bucket, tmp_path: Path) -> None:
        storage = Storage.at(tmp_path / "storage")
        with otherwise(server.silent):
            for use in (
                lambda: storage.open_source(f"{bucket}/in/a.tif", [f"{bucket}/in/"]),
                lambda: storage.list_sources(f"{bucket}/in/", [f"{bucket}/in/"]),
            ):
                with pytest.raises(TaskError) as caught:
                    use()
                assert told(caught.value) == ("STORAGE_UNAVAILABLE", "system", True)

    def test_without_the_right_to_read(self, bucket: str, server: s3.Bucket, tmp_path: Path) -> None:
        """Of one object and of a prefix: whoever submitted it is told, and it is not tried again."""
        upload(bucket, "in/a.tif", b"x", tmp_path)
        storage = Storage.at(tmp_path / "storage")
        with otherwise(server.stranger):
            for use in (
                lambda: storage.open_source(f"{bucket}/in/a.tif", [f"{bucket}/in/"]),
                lambda: storage.list_sources(f"{bucket}/in/", [f"{bucket}/in/"]),
                lambda: object_store.beside(bucket, "in/a.tif"),
            ):
                with pytest.raises(TaskError) as caught:
                    use()
                assert told(caught.value) == ("SOURCE_NOT_READABLE", "user", False)
        assert brought(tmp_path) == []

    def test_a_bucket_that_is_not_there(self, bucket: str, tmp_path: Path) -> None:
        storage, none = Storage.at(tmp_path / "storage"), f"{bucket}-none/in/"
        for use in (lambda: storage.open_source(f"{none}a.tif", [none]), lambda: storage.list_sources(none, [none])):
            with pytest.raises(TaskError) as caught:
                use()
            assert told(caught.value) == ("SOURCE_NOT_FOUND", "user", False)


class TestArtefacts:
    def publish(self, storage: Storage, key: str, content: str, task_id: int = 7, attempt: int = 1) -> str:
        path = storage.attempt_path(key, task_id, attempt)
        path.write_text(content)
        return storage.publish(path, key)

    def test_publishing_is_one_upload_over_what_was_there(self, bucket: str, tmp_path: Path) -> None:
        storage = Storage.at(f"{bucket}/out/")
        first = storage.attempt_path(KEY, 7, 1)
        first.write_text("one")
        assert storage.found(KEY) is None
        assert storage.publish(first, KEY) == f"{bucket}/out/{KEY}"
        assert not first.exists()
        assert self.publish(storage, KEY, "three") == f"{bucket}/out/{KEY}"
        assert storage.found(KEY) == Stored(KEY, 5)
        with Storage.at(tmp_path).open_source(f"{bucket}/out/{KEY}", [f"{bucket}/out/"]) as source:
            assert source.path.read_text() == "three"

    def test_large_files_are_uploaded_in_parts(self, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(object_store, "PART_BYTES", 5 * 1024**2)
        (tmp_path / "large").write_bytes(b"x" * (11 * 1024**2))
        object_store.put(bucket, "large", tmp_path / "large")
        found = object_store.find(bucket, "large")
        assert found is not None
        assert found.size == 11 * 1024**2
        assert found.version is not None
        assert found.version.rstrip('"').endswith("-3") or bucket.startswith("az:"), "three parts"

    def test_removing_a_prefix_takes_all_below_and_no_neighbour(self, bucket: str) -> None:
        storage = Storage.at(f"{bucket}/out")
        for key in ("c/q/r1/a.tif", "c/q/r1/b.tif", "c/q/r10/a.tif"):
            self.publish(storage, key, "x")
        assert storage.remove_prefix("c/q/r1/") == 2
        assert storage.remove_prefix("c/q/r1") == 0
        assert [stored.name for stored in storage.listed("")] == ["c/q/r10/a.tif"]
        storage.remove(Stored("c/q/r10/a.tif", 1))
        storage.remove(Stored("c/q/r10/a.tif", 1))
        assert list(storage.listed("")) == []

    @pytest.mark.parametrize("key", ["", "../x", "a//b", "a/.hidden"])
    def test_a_key_cannot_name_another_place(self, key: str, bucket: str) -> None:
        storage = Storage.at(f"{bucket}/out")
        for use in (storage.href, storage.found, storage.remove_prefix, lambda key: storage.attempt_path(key, 1, 1)):
            with pytest.raises(ValueError, match="not a key"):
                use(key)

    def test_one_that_is_gone_is_no_error_among_others(self, bucket: str, tmp_path: Path) -> None:
        for key in ("one", "three"):
            upload(bucket, key, b"x", tmp_path)
        object_store.delete(bucket, ["one", "two", "three"])
        assert list(object_store.listed(bucket, "")) == []

    def test_its_checksum_is_that_of_its_bytes(self, bucket: str, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(object_store, "RANGE_BYTES", 1000)
        storage, content = Storage.at(f"{bucket}/out"), "geomill" * 1000
        self.publish(storage, KEY, content)
        assert storage.sha256(KEY, lambda: None) == hashlib.sha256(content.encode()).hexdigest()
        assert storage.sha256("client/none.tif", lambda: None) is None

    def test_a_bucket_that_is_not_there(self, bucket: str) -> None:
        with pytest.raises(TaskError) as caught:
            self.publish(Storage.at(f"{bucket}-none/out"), KEY, "x")
        assert told(caught.value) == ("STORAGE_NOT_WRITABLE", "system", False)

    def test_without_the_right_to_write(self, bucket: str, server: s3.Bucket) -> None:
        storage = Storage.at(f"{bucket}/out")
        self.publish(storage, KEY, "x")
        with otherwise(server.stranger):
            for use in (lambda: self.publish(storage, KEY, "other"), lambda: storage.remove(Stored(KEY, 1))):
                with pytest.raises(TaskError) as caught:
                    use()
                assert told(caught.value) == ("STORAGE_NOT_WRITABLE", "system", False)
        assert storage.found(KEY) == Stored(KEY, 1)

    def test_a_look_at_it(self, bucket: str) -> None:
        assert look_at(Storage.at(f"{bucket}/out")).is_well
        probe = look_at(Storage.at(f"{bucket}-none/out"))
        assert not probe.is_well
        assert "is not there" in probe.metric["error"]

    def test_public_base(self, bucket: str) -> None:
        assert Storage.at(f"{bucket}/out", "https://data.example.org/x/").href("c/a.tif") == "https://data.example.org/x/c/a.tif"
