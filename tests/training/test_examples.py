"""The spun versions of the example articles."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.training.shouter import Shouter
from unspun.training.machines.examples import EXAMPLES, ExampleError, spin, write_examples


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "human").mkdir()
    for name in ("1-a.txt", "2-b.txt", "3-c.txt"):
        (tmp_path / "human" / name).write_text("the quiet words of a very small story " * 10, encoding="utf-8")
    return tmp_path


def test_machines_take_turns(folder: Path) -> None:
    written = write_examples({"x": Shouter("x"), "y": Shouter("y")}, folder)
    assert [path.name for path in written] == ["1-a.x.txt", "2-b.y.txt", "3-c.x.txt"]


def test_the_same_articles_give_the_same_files(folder: Path) -> None:
    first = [path.read_bytes() for path in write_examples({"x": Shouter("x")}, folder)]
    assert [path.read_bytes() for path in write_examples({"x": Shouter("x")}, folder)] == first


def test_files_from_an_earlier_run_are_removed(folder: Path) -> None:
    write_examples({"x": Shouter("x")}, folder)
    write_examples({"y": Shouter("y")}, folder)
    assert len(list((folder / "spun").iterdir())) == 3


@pytest.mark.parametrize("rate", [0.0, 1.0])
def test_an_error_names_a_machine_that_changes_too_little_or_too_much(rate: float) -> None:
    with pytest.raises(ExampleError, match="x does not change between 12% and 40%"):
        spin("the quiet words of a small story", Shouter("x", rate), (1,))


def test_a_folder_without_articles_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ExampleError, match="no articles"):
        write_examples({"x": Shouter("x")}, tmp_path)


def test_every_article_in_the_repository_has_its_spun_version() -> None:
    human = {path.stem for path in (EXAMPLES / "human").glob("*.txt")}
    spun = [path.stem.rpartition(".")[0] for path in (EXAMPLES / "spun").glob("*.txt")]
    assert sorted(spun) == sorted(human)
    assert len(human) >= 6
