"""The tutorial is run as printed, in its own file so that it can run in parallel with the other pages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.running import TUTORIAL, check_page


@pytest.mark.integration
def test_every_step_of_the_tutorial_prints_what_it_shows(tmp_path: Path) -> None:
    check_page(TUTORIAL, tmp_path)
