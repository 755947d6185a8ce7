"""`unspun`, the command. Each subcommand is a file in service/commands/, loaded when it is asked for."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from typing import Any

import click

from unspun.service.console import complain, is_bundle_error

COMMANDS = {
    "score": "unspun.service.commands.score:score",
    "train": "unspun.service.commands.train:train",
    "calibrate": "unspun.service.commands.calibrate:calibrate",
    "evaluate": "unspun.service.commands.evaluate:evaluate",
    "compare": "unspun.service.commands.compare:compare",
    "feedback": "unspun.service.commands.feedback:feedback",
    "audit": "unspun.service.commands.audit:audit",
    "models": "unspun.service.commands.models:models",
    "serve": "unspun.service.commands.serve:serve",
    "keys": "unspun.service.commands.keys:keys",
}
"""Names of the subcommands and where each lives, in the order in which help lists them."""

INTERRUPTED = 128 + 2
BROKEN_PIPE = 128 + 13
"""What a shell reports for a program that SIGINT or SIGPIPE ended."""


class Commands(click.Group):
    """Loads subcommands late, so that help is quick, and lets no traceback reach a user.

    With UNSPUN_DEBUG set in the environment, unexpected errors are raised.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the subcommands."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a subcommand, None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name].partition(":")
        command = getattr(importlib.import_module(module), name)
        assert isinstance(command, click.Command)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run a subcommand; what it does not expect ends in one line."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except KeyboardInterrupt as interrupt:
            complain(str(interrupt) or "interrupted")
            ctx.exit(INTERRUPTED)
        except OSError as error:
            if error.errno != errno.EPIPE:
                complain(f"{error.filename or 'standard output'}: {error.strerror or error}")
                ctx.exit(1)
            _drop_standard_output()
            ctx.exit(BROKEN_PIPE)
        except Exception as error:
            self._fail(ctx, error)

    def _fail(self, ctx: click.Context, error: Exception) -> None:
        if is_bundle_error(error):
            complain(str(error))
        elif os.environ.get("UNSPUN_DEBUG"):
            raise error
        else:
            complain(f"unexpected {type(error).__name__}: {error}; please report this")
        ctx.exit(1)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="unspun", prog_name="unspun", message="%(prog)s %(version)s")
def cli() -> None:
    """Find machine-paraphrased text, and show the words that give it away."""


def main() -> None:
    """Run the command line."""
    cli(prog_name="unspun")


def _drop_standard_output() -> None:
    """Point standard output at nothing, so that Python's flush at exit does not complain again."""
    with contextlib.suppress(OSError, ValueError):  # not a real file: nothing is flushed to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
