"""The help of every command: an example, the exit statuses, and no text that is cut off."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from tests.service.support import run_unspun
from unspun.service.cli import cli


def commands(command: click.Command, *names: str) -> Iterator[tuple[str, ...]]:
    """Yield the names of a command and of all commands below it."""
    yield names
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, *names, name)


ALL = list(commands(cli))


def found(names: tuple[str, ...]) -> click.Command:
    command: click.Command = cli
    for name in names:
        assert isinstance(command, click.Group)
        below = command.get_command(click.Context(command), name)
        assert below is not None
        command = below
    return command


@pytest.fixture(autouse=True)
def without_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("UNSPUN_KEYS_FILE", raising=False)


@pytest.mark.parametrize("names", ALL, ids=" ".join)
def test_help_has_an_example_and_the_exit_statuses(names: tuple[str, ...]) -> None:
    run = run_unspun(*names, "--help")
    assert (run.status, run.errors) == (0, [])
    _, _, examples = run.out.partition("  Example")
    assert f"  unspun {' '.join(names)}".rstrip() in examples
    _, _, statuses = run.out.partition("  Exit status")
    assert [line.split()[0] for line in statuses.splitlines()[1:4]] == ["0", "1", "2"]


@pytest.mark.parametrize("names", ALL, ids=" ".join)
@pytest.mark.parametrize("columns", ["40", "80"])
def test_help_is_complete_on_any_terminal(
    names: tuple[str, ...], columns: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    out = run_unspun(*names, "--help").out
    if columns == "80":
        assert max(map(len, out.splitlines())) <= 80
    shown = " ".join(out.split())
    command = found(names)
    options = [one for one in command.params if isinstance(one, click.Option) and not one.hidden]
    helps = [option.help for option in options]
    if isinstance(command, click.Group):
        context = click.Context(command)
        helps += [found((*names, name)).short_help for name in command.list_commands(context)]
    for text in helps:
        assert text, "every option and command needs a help text"
        assert "".join(text.split()) in "".join(shown.split())
    assert "..." not in out.partition("\n\n")[2]  # the usage line has PATH...
    assert "…" not in out


@pytest.mark.parametrize("names", [names for names in ALL if names], ids=" ".join)
def test_a_short_help_is_a_sentence(names: tuple[str, ...]) -> None:
    assert str(found(names).short_help).endswith(".")
