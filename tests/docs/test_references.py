"""The documentation is complete and consistent: links, options, settings, fields of a verdict."""

from __future__ import annotations

import re
from collections.abc import Iterator

import click
import pytest

from tests.docs.pages import PAGES, ROOT, sections
from unspun.model.verdict import Verdict
from unspun.model.wording import DISGUISES, REPAIRS
from unspun.service.cli import cli
from unspun.service.http.config import OTHERS, Settings, variable

TEXTS = {**PAGES, **{name: (ROOT / name).read_text("utf-8") for name in ("CHANGELOG.md", "seeds/README.md")}}
LINKS = sorted(
    {(page, link) for page, text in TEXTS.items() for link in re.findall(r"\]\(([^)\s]+)\)", text) if ":" not in link}
)
PROSE = "\n".join(PAGES.values())


@pytest.mark.parametrize(("page", "link"), LINKS)
def test_a_link_leads_somewhere(page: str, link: str) -> None:
    name, _, anchor = link.partition("#")
    target = (ROOT / page).parent / name if name else ROOT / page
    assert target.exists()
    assert not anchor or anchor in sections(target.read_text("utf-8"))


def test_the_index_lists_every_page() -> None:
    assert {name for page, name in LINKS if page == "docs/index.md" and "/" not in name} == {
        path.name for path in (ROOT / "docs").glob("*.md") if path.name != "index.md"
    }


def commands() -> Iterator[tuple[str, set[str]]]:
    """Yield each command of unspun with its options and those of its subcommands."""
    for name in cli.list_commands(click.Context(cli)):
        command = cli.get_command(click.Context(cli), name)
        assert command is not None
        parts = [command, *command.commands.values()] if isinstance(command, click.Group) else [command]
        visible = [o for part in parts for o in part.params if isinstance(o, click.Option) and not o.hidden]
        yield name, {spelling for option in visible for spelling in option.opts}


@pytest.mark.parametrize(("command", "options"), list(commands()))
def test_exactly_the_options_of_a_command_are_documented(command: str, options: set[str]) -> None:
    [section] = re.findall(rf"^##+ `unspun {command}`[^\n]*\n(.*?)(?=^##|\Z)", PROSE, re.MULTILINE | re.DOTALL)
    rows = [line.rpartition(" | ")[0] for line in section.splitlines() if line.startswith("|")]
    assert {name for row in rows for name in re.findall(r"`(--?[a-z-]+)`", row)} == options


def test_every_setting_of_the_service_is_documented_with_its_default() -> None:
    section = PAGES["docs/service.md"].partition("## Settings")[2]
    documented = dict(re.findall(r"^\| `(UNSPUN_\w+)` \| (.*?) \|", section, re.MULTILINE))
    assert list(documented) == [variable(name) for name in Settings.model_fields]
    for name, setting in Settings.model_fields.items():
        default = setting.default
        if isinstance(default, bool):
            default = str(default).lower()
        if isinstance(default, float):
            default = f"{default:g}"
        if setting.default_factory is None and setting.default is not None:
            assert documented[variable(name)] == f"`{default}`"


def test_exactly_the_variables_of_unspun_are_documented() -> None:
    known = {*OTHERS, "UNSPUN_CORPORA", *(variable(name) for name in Settings.model_fields)}
    assert set(re.findall(r"UNSPUN_[A-Z_]*[A-Z]", PROSE)) == known


def test_every_field_of_a_verdict_is_documented() -> None:
    section = PAGES["docs/verdict.md"].partition("## The fields")[2].partition("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)) == set(Verdict.__dataclass_fields__) - {"id"}


def test_exactly_the_kinds_of_repairs_are_documented() -> None:
    section = PAGES["docs/verdict.md"].partition("## Repairs")[2].partition("\n## ")[0]
    disguises, defects = (
        {name for cell in re.findall(r"^\| (`.*?`) \|", part, re.MULTILINE) for name in re.findall(r"`(\w+)`", cell)}
        for part in section.split("**Defects.**")
    )
    assert disguises - {"what"} == DISGUISES
    assert defects - {"what"} == set(REPAIRS) - DISGUISES


def test_the_readme_fits_a_page() -> None:
    assert len(PAGES["README.md"].splitlines()) <= 150


def test_the_screenshot_is_small() -> None:
    assert all(image.stat().st_size < 200_000 for image in (ROOT / "docs" / "images").iterdir())


def test_machines_are_named_by_their_processor() -> None:
    assert "development machine" not in PROSE
