"""The seed documents: finding and checking them, and the file of substitutions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from unspun.training.corpora import seeds


def test_the_environment_variable_sets_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / seeds.manifest()[0].file).write_text("any", encoding="utf-8")
    monkeypatch.setenv("UNSPUN_SEEDS", str(tmp_path))
    assert seeds.find_folder() == tmp_path


def test_no_other_folder_is_tried_if_the_variable_is_set(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UNSPUN_SEEDS", str(tmp_path))
    assert seeds.find_folder() is None


def test_a_document_with_other_content_is_rejected(tmp_path: Path) -> None:
    document = seeds.manifest()[0]
    (tmp_path / document.file).write_text("not this one", encoding="utf-8")
    with pytest.raises(seeds.SeedError, match="SHA-256 differs"):
        seeds.read(document, tmp_path)


def test_substitutions_are_read_back_unchanged(tmp_path: Path) -> None:
    count = Counter({("vitality", "energy"): 2, ("in line with", "according to"): 4, ("yr", "year"): 2})
    seeds.write_substitutions(count, tmp_path / "a.tsv")
    assert seeds.read_substitutions(tmp_path / "a.tsv") == count


def test_the_file_does_not_depend_on_the_order_of_the_pairs(tmp_path: Path) -> None:
    pairs = [("vitality", "energy"), ("yr", "year"), ("nicely", "well")]
    for name, order in (("a.tsv", pairs), ("b.tsv", pairs[::-1])):
        seeds.write_substitutions(Counter(order), tmp_path / name)
    assert (tmp_path / "a.tsv").read_bytes() == (tmp_path / "b.tsv").read_bytes()


def test_without_seeds_the_command_names_the_variable_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("UNSPUN_SEEDS", str(tmp_path))
    assert seeds.main([]) == 1
    assert "UNSPUN_SEEDS" in capsys.readouterr().err
