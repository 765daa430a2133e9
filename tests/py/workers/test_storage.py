"""Sources stay inside their roots, artefacts inside theirs, and a reader sees the whole object or none."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from workers import storage as storage_module
from workers.errors import TaskError
from workers.storage import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    return Storage.at(tmp_path / "storage")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "a.tif").write_bytes(b"data")
    return folder


def code(storage: Storage, path: Path | str, root: Path | str) -> str:
    with pytest.raises(TaskError) as caught:
        storage.open_source(str(path), [str(root)])
    assert caught.value.detail.retryable is False
    assert caught.value.detail.remediation
    return caught.value.detail.code


def listing_code(storage: Storage, prefix: str, root: str) -> str:
    with pytest.raises(TaskError) as caught:
        storage.list_sources(prefix, [root])
    assert caught.value.detail.category == "user"
    assert caught.value.detail.remediation
    return caught.value.detail.code


class TestSources:
    def test_a_file_below_a_root(self, storage: Storage, root: Path) -> None:
        with storage.open_source(f"{root}/a.tif", [str(root)]) as source:
            assert (source.path, source.name, source.size, source.archive) == (root / "a.tif", "a.tif", 4, None)
            assert source.extract() == [root / "a.tif"]

    def test_a_file_url(self, storage: Storage, root: Path) -> None:
        (root / "å b.tif").write_bytes(b"x")
        assert storage.open_source((root / "å b.tif").as_uri(), [root.as_uri()]).path == root / "å b.tif"

    def test_what_is_missing(self, storage: Storage, root: Path) -> None:
        assert code(storage, root / "b.tif", root) == "SOURCE_NOT_FOUND"
        assert code(storage, root / "a.tif" / "b.tif", root) == "SOURCE_NOT_FOUND"

    def test_outside_is_refused_alike_whether_it_exists_or_not(self, storage: Storage, root: Path) -> None:
        assert code(storage, "/etc/passwd", root) == "SOURCE_NOT_ALLOWED"
        assert code(storage, "/etc/no_such_file", root) == "SOURCE_NOT_ALLOWED"
        assert code(storage, f"{root}/../storage", root) == "SOURCE_NOT_ALLOWED"
        assert code(storage, f"{root}_other/a.tif", root) == "SOURCE_NOT_ALLOWED"
        assert code(storage, "a.tif", root) == "SOURCE_NOT_ALLOWED"
        assert code(storage, root / "a.tif", "s3://bucket/") == "SOURCE_NOT_ALLOWED"
        assert code(storage, f"{root}/a\x00.tif", root) == "SOURCE_NOT_ALLOWED"

    def test_a_link_that_leads_out_is_refused_and_one_that_stays_is_followed(self, storage: Storage, root: Path, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("x")
        (root / "out.tif").symlink_to(tmp_path / "secret")
        (root / "outside").symlink_to(tmp_path)
        (root / "in.tif").symlink_to(root / "a.tif")
        assert code(storage, root / "out.tif", root) == "SOURCE_NOT_ALLOWED"
        assert code(storage, root / "outside" / "secret", root) == "SOURCE_NOT_ALLOWED"
        assert storage.open_source(str(root / "in.tif"), [str(root)]).path == root / "a.tif"

    def test_a_loop_of_links(self, storage: Storage, root: Path) -> None:
        (root / "x").symlink_to(root / "y")
        (root / "y").symlink_to(root / "x")
        assert code(storage, root / "x", root) == "SOURCE_NOT_READABLE"

    def test_a_root_that_is_a_link(self, storage: Storage, root: Path, tmp_path: Path) -> None:
        (tmp_path / "alias").symlink_to(root)
        assert storage.open_source(f"{tmp_path}/alias/a.tif", [f"{tmp_path}/alias"]).path == root / "a.tif"

    @pytest.mark.parametrize("path", ["http://example.com/a.tif", "file://elsewhere/a.tif", "MEM:::x", "PG:host=x"])
    def test_other_schemes_are_refused(self, storage: Storage, root: Path, path: str) -> None:
        assert code(storage, path, root) == "SCHEME_NOT_SUPPORTED"

    def test_no_way_for_gdal_paths(self, storage: Storage, root: Path) -> None:
        assert code(storage, "/vsicurl/https://example.com/a.tif", root) == "SOURCE_NOT_ALLOWED"
        assert code(storage, "/vsicurl/https://example.com/a.tif", "/") == "SOURCE_NOT_FOUND"

    def test_folders_pipes_and_empty_files(self, storage: Storage, root: Path) -> None:
        os.mkfifo(root / "pipe.tif")
        (root / "empty.tif").touch()
        assert code(storage, root, root) == "SOURCE_NOT_A_FILE"
        assert code(storage, root / "pipe.tif", root) == "SOURCE_NOT_A_FILE"
        assert code(storage, root / "empty.tif", root) == "SOURCE_EMPTY"

    def test_a_prefix_lists_its_files(self, storage: Storage, root: Path) -> None:
        (root / "sub").mkdir()
        (root / "sub" / "b.tif").touch()
        (root / ".hidden").touch()
        assert storage.list_sources(f"{root}/", [str(root)]) == [f"{root}/a.tif", f"{root}/sub/b.tif"]
        with pytest.raises(TaskError, match="not below a folder"):
            storage.list_sources("/etc/", [str(root)])
        with pytest.raises(TaskError, match="does not exist"):
            storage.list_sources(f"{root}/none/", [str(root)])

    def test_a_file_is_no_folder(self, storage: Storage, root: Path) -> None:
        assert listing_code(storage, f"{root}/a.tif/", str(root)) == "SOURCE_NOT_A_FOLDER"
        assert listing_code(storage, "https://data.example.org/in/", "https://data.example.org/in/") == "SOURCE_NOT_A_FOLDER"

    def test_folders_of_too_many_files(self, storage: Storage, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (root / "sub").mkdir()
        for number in range(3):
            (root / "sub" / f"{number}.tif").write_bytes(b"x")
        monkeypatch.setattr(storage_module, "_MOST_LISTED", 3)
        assert len(storage.list_sources(f"{root}/sub/", [str(root)])) == 3
        assert listing_code(storage, f"{root}/", str(root)) == "SOURCE_TOO_MANY"
        with pytest.raises(TaskError) as caught:
            storage.open_source(str(root), [str(root)], folders=True)
        assert caught.value.detail.code == "SOURCE_TOO_MANY"

    def test_an_array_lists_itself(self, storage: Storage, root: Path) -> None:
        paths = [f"{root}/a.tif", "/etc/passwd"]
        assert storage.list_sources(json.dumps(paths), [str(root)]) == paths
        for wrong in ("[", "[]", "[1]", '[{"a": 1}]'):
            with pytest.raises(TaskError, match="no JSON array"):
                storage.list_sources(wrong, [str(root)])


class TestArtefacts:
    KEY = "client/request/r1/cog.tif"

    def test_publishing_is_one_rename_over_what_was_there(self, storage: Storage) -> None:
        first = storage.attempt_path(self.KEY, 7, 1)
        first.write_text("one")
        assert not storage.path(self.KEY).exists()
        assert storage.publish(first, self.KEY) == f"{storage.root.as_uri()}/{self.KEY}"
        second = storage.attempt_path(self.KEY, 7, 2)
        second.write_text("two")
        assert storage.path(self.KEY).read_text() == "one"
        storage.publish(second, self.KEY)
        assert storage.path(self.KEY).read_text() == "two"
        assert sorted(path.name for path in storage.path(self.KEY).parent.iterdir()) == ["cog.tif"]

    def test_publishing_clears_up_after_lost_attempts_of_the_same_task_only(self, storage: Storage) -> None:
        for task_id, attempt in ((7, 1), (7, 2), (8, 1)):
            storage.attempt_path(self.KEY, task_id, attempt).write_text("x")
        Path(f"{storage.attempt_path(self.KEY, 7, 1)}.aux.xml").write_text("sidecar")
        storage.publish(storage.attempt_path(self.KEY, 7, 2), self.KEY)
        assert sorted(path.name for path in storage.path(self.KEY).parent.iterdir()) == [".attempt-8-1-cog.tif", "cog.tif"]

    def test_a_lost_attempt_cannot_publish_what_was_cleared_up(self, storage: Storage) -> None:
        lost, current = storage.attempt_path(self.KEY, 7, 1), storage.attempt_path(self.KEY, 7, 2)
        lost.write_text("lost")
        current.write_text("current")
        storage.publish(current, self.KEY)
        with pytest.raises(FileNotFoundError):
            storage.publish(lost, self.KEY)
        assert storage.path(self.KEY).read_text() == "current"

    def test_only_an_attempts_own_file_is_published(self, storage: Storage, tmp_path: Path) -> None:
        (tmp_path / "x.tif").write_text("x")
        with pytest.raises(ValueError, match="attempt_path"):
            storage.publish(tmp_path / "x.tif", self.KEY)
        with pytest.raises(ValueError, match="attempt_path"):
            storage.publish(storage.attempt_path("a/other.tif", 1, 1), self.KEY)

    def test_attempts_keep_the_extension_and_are_hidden(self, storage: Storage) -> None:
        path = storage.attempt_path(self.KEY, 7, 1)
        assert path.suffix == ".tif"
        assert path.name.startswith(".")
        assert path.parent == storage.path(self.KEY).parent
        assert path.parent.is_dir()

    @pytest.mark.parametrize(
        "key", ["", "/", "/etc/passwd", "../x", "a/../../x", "a//b", "a/.hidden", ".", "a/\x00", "a\\b", "a/" + "x" * 300]
    )
    def test_a_key_cannot_name_another_place(self, storage: Storage, key: str) -> None:
        for use in (storage.path, storage.href, storage.remove_prefix, lambda key: storage.attempt_path(key, 1, 1)):
            with pytest.raises(ValueError, match="not a key"):
                use(key)

    def test_links_inside_the_root_do_not_lead_out(self, storage: Storage, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        (outside / "sub").mkdir(parents=True)
        (outside / "sub" / "keep").touch()
        (storage.root / "client").symlink_to(outside)
        with pytest.raises(ValueError, match="leads out"):
            storage.remove_prefix("client/sub")
        with pytest.raises(ValueError, match="leads out"):
            storage.attempt_path("client/sub/x.tif", 1, 1)
        assert storage.remove_prefix("client") == 1
        assert (outside / "sub" / "keep").exists()

    def test_removing_a_prefix_takes_all_below_and_can_be_repeated(self, storage: Storage) -> None:
        storage.attempt_path("c/q/r1/a.tif", 1, 1).write_text("x")
        storage.publish(storage.attempt_path("c/q/r1/a.tif", 1, 1), "c/q/r1/a.tif")
        storage.attempt_path("c/q/r1/b.tif", 2, 1).write_text("x")
        storage.attempt_path("c/q/r2/a.tif", 3, 1).write_text("x")
        assert storage.remove_prefix("c/q/r1/") == 2
        assert storage.remove_prefix("c/q/r1/") == 0
        assert (storage.root / "c/q/r2").exists()
        assert storage.remove_prefix("c/q/r2") == 1
        assert not (storage.root / "c/q").exists()
        assert (storage.root / "c").exists()

    def test_removing_a_prefix_does_not_take_its_neighbour(self, storage: Storage) -> None:
        for key in ("c/q/r1/a", "c/q/r10/a"):
            storage.attempt_path(key, 1, 1).write_text("x")
        storage.remove_prefix("c/q/r1")
        assert (storage.root / "c/q/r10").exists()

    def test_public_base(self, tmp_path: Path) -> None:
        storage = Storage.at(tmp_path, "https://data.example.org/x/")
        assert storage.href("c/a b.tif") == "https://data.example.org/x/c/a%20b.tif"

    def test_from_environment(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GEOMILL_HOME", str(tmp_path / "home"))
        monkeypatch.delenv("GEOMILL_STORAGE", raising=False)
        assert Storage.from_environment().root == tmp_path / "home" / "storage"
        monkeypatch.setenv("GEOMILL_STORAGE", f"file://{tmp_path}/elsewhere")
        assert Storage.from_environment().root == tmp_path / "elsewhere"
        monkeypatch.setenv("GEOMILL_STORAGE", "ftp://bucket/x")
        with pytest.raises(TaskError, match="not a scheme"):
            Storage.from_environment()
