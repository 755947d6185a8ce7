"""training/reporting/plots.py: valid images, made without changing matplotlib's global state."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from unspun.training.reporting.plots import PlotError, plot_roc, plot_scores


@pytest.fixture
def scores() -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    generator = np.random.default_rng(0)
    probability = generator.beta(0.4, 0.8, 400)
    return generator.random(400) < probability, probability


def size_of_png(path: Path) -> tuple[int, int]:
    content = path.read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def test_roc_is_a_png(scores: tuple[NDArray[np.bool_], NDArray[np.float64]], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_roc({"fast": scores}, tmp_path / "roc.png")
    assert size_of_png(tmp_path / "roc.png") == (1440, 720)


def test_scores_are_a_png(scores: tuple[NDArray[np.bool_], NDArray[np.float64]], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    plot_scores(*scores, tmp_path / "scores.png")
    assert size_of_png(tmp_path / "scores.png") == (1440, 540)


def test_the_same_data_give_the_same_bytes(
    scores: tuple[NDArray[np.bool_], NDArray[np.float64]], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    for name in ("a.png", "b.png"):
        plot_scores(*scores, tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize(
    ("code", "unwanted"),
    [("pass", "matplotlib"), ("plots.plot_roc({'a': ([0, 1], [0.1, 0.9])}, io.BytesIO())", "matplotlib.pyplot")],
    ids=["importing the module", "drawing a plot"],
)
def test_modules_that_are_not_imported(code: str, unwanted: str) -> None:
    pytest.importorskip("matplotlib")
    program = (
        f"import io, sys; from unspun.training.reporting import plots; {code}; sys.exit({unwanted!r} in sys.modules)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", program], env=environment).returncode == 0


def test_without_matplotlib_the_message_says_what_to_install(
    scores: tuple[NDArray[np.bool_], NDArray[np.float64]],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(PlotError, match=r"pip install 'unspun\[evaluate\]'"):
        plot_roc({"fast": scores}, tmp_path / "roc.png")
