from __future__ import annotations

import stat
from pathlib import Path

import pytest

from unspun.model.atomic import atomic_write, part_of


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "data.txt"


def test_a_file_appears_only_when_it_is_complete(file: Path) -> None:
    with atomic_write(file) as stream:
        stream.write(b"new")
        assert not file.exists()
    assert file.read_bytes() == b"new"
    assert not part_of(file).exists()


def test_a_failed_write_leaves_the_old_file_and_no_temporary_one(file: Path) -> None:
    file.write_bytes(b"old")
    with pytest.raises(TypeError), atomic_write(file) as stream:
        stream.writelines([b"half", None])
    assert file.read_bytes() == b"old"
    assert not part_of(file).exists()


def test_a_temporary_file_left_by_a_killed_process_is_replaced(file: Path) -> None:
    part_of(file).write_bytes(b"half of an older and longer file")
    with atomic_write(file) as stream:
        stream.write(b"new")
    assert file.read_bytes() == b"new"


@pytest.mark.parametrize(("old", "expected"), [(None, 0o600), (0o640, 0o640)])
def test_an_existing_file_keeps_its_permissions(old: int | None, expected: int, file: Path) -> None:
    if old is not None:
        file.touch()
        file.chmod(old)
    with atomic_write(file, mode=0o600) as stream:
        stream.write(b"new")
    assert stat.S_IMODE(file.stat().st_mode) == expected
