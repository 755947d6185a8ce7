"""Documents point at what is there: files, headings, modules, commands and their options, fields of a verdict."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from unspun.model.verdict import Verdict
from unspun.service.cli import cli

ROOT = Path(__file__).parents[2]
PAGES = ("README.md", "docs/usage.md", "docs/tutorial.md", "docs/deployment.md", "docs/training.md", "docs/recipes.md")
TEXTS = {page: (ROOT / page).read_text("utf-8") for page in PAGES}
LINKS = [
    (page, link)
    for page, text in TEXTS.items()
    for link in re.findall(r"\]\(([^)\s]+)\)", text)
    if not link.startswith("http")
]
LINES = "\n".join(TEXTS.values()).replace("\\\n", " ").splitlines()
MODULES = sorted({name for line in LINES for name in re.findall(r"python -m ((?:training|benchmarks)\.\w+)", line)})
USED = sorted(
    {
        " ".join(used.split())
        for line in LINES
        if line.startswith("$ ")
        for used in re.findall(r"\bunspun ((?!unspun)[a-z][^|>&]*)", line.split(" #")[0])
    }
)


def anchor(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_somewhere(page: str, link: str) -> None:
    name, _, wanted = link.partition("#")
    file = (ROOT / page).parent / name if name else ROOT / page
    if name == "model/default/CARD.md" and not file.exists():
        pytest.skip("model/default is not built")
    assert file.exists()
    if wanted:
        assert wanted in [anchor(line.lstrip("# ")) for line in file.read_text("utf-8").splitlines() if line[:1] == "#"]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_is_there(name: str) -> None:
    assert find_spec(name) is not None


@pytest.mark.parametrize("used", USED)
def test_a_command_has_its_options(used: str) -> None:
    words = used.split()
    command: click.Command | None = cli
    known: set[str] = set()
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None
        known |= {name for option in command.params for name in option.opts}
    assert {word for word in words if word.startswith("--")} <= known


def test_a_verdict_is_explained_field_by_field() -> None:
    section = TEXTS["docs/usage.md"].split("## The verdict")[1].split("\n## ")[0]
    explained = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    assert set(explained) == set(Verdict.__dataclass_fields__) - {"id"}


def test_the_readme_fits_a_page() -> None:
    assert len(TEXTS["README.md"].splitlines()) <= 150
