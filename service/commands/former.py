"""Former spellings of options and arguments: each is refused with an error that names the present one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import click

from unspun.service.console import printable

Decorated = TypeVar("Decorated", bound=Callable[..., Any] | click.Command)


class FormatType(click.Choice):  # type: ignore[type-arg]  # not generic in click 8.1
    """A choice of output formats that refuses `json`, the former name of `jsonl`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the format."""
        if value == "json":
            self.fail("the format 'json' is called 'jsonl' now; use --format jsonl.", param, ctx)
        return super().convert(value, param, ctx)


def former_option(name: str, now: str) -> Callable[[Decorated], Decorated]:
    """Return a hidden option that refuses a former name of the option `now`."""

    def refuse(context: click.Context, option: click.Parameter, value: str | None) -> None:
        if value is not None:
            raise click.UsageError(f"{name} is called {now} now; use {now} {printable(value)}.")

    return click.option(name, hidden=True, expose_value=False, is_eager=True, callback=refuse)


class _HiddenArgument(click.Argument):
    """An argument that the usage line does not show."""

    def get_usage_pieces(self, ctx: click.Context) -> list[str]:
        return []


def former_model_argument(function: Decorated) -> Decorated:
    """Refuse arguments of a command that once took its model as an argument."""

    def refuse(context: click.Context, argument: click.Parameter, values: tuple[str, ...]) -> None:
        if values:
            _name_the_option(context, values[0])

    return click.argument("former", nargs=-1, cls=_HiddenArgument, expose_value=False, is_eager=True, callback=refuse)(
        function
    )


def refuse_model_among(context: click.Context, paths: Sequence[str]) -> None:
    """Raise UsageError if the first of the texts to read is a model: it was once an argument before the texts."""
    from unspun.model.bundle import CLASSIFIER, MANIFEST, SHIPPED

    path = Path(paths[0])
    if all((path / name).exists() for name in (MANIFEST, CLASSIFIER)) or (paths[0] == SHIPPED and not path.exists()):
        _name_the_option(context, *(paths if len(paths) > 1 else (*paths, "PATH")))


def _name_the_option(context: click.Context, model: str, *rest: str) -> NoReturn:
    example = " ".join((context.command_path, "--model", *map(printable, (model, *rest))))
    raise click.UsageError(f"{printable(model)}: a model is given with --model; use {example}")
