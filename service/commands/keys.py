"""`unspun keys`: API keys for the service."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from unspun.service.commands.common import reported
from unspun.service.console import complain
from unspun.service.http.keys import KeysError, KeyStore

FILE = click.Path(dir_okay=False, path_type=Path)


@click.group(short_help="Create and revoke API keys for the service.")
@click.option(
    "--file",
    "path",
    metavar="FILE",
    envvar="UNSPUN_KEYS_FILE",
    type=FILE,
    help="File of the keys, which are stored as hashes. Default: $UNSPUN_KEYS_FILE.",
)
@click.pass_context
def keys(context: click.Context, path: Path | None) -> None:
    """Create and revoke API keys. A service with UNSPUN_KEYS_FILE requires one, and applies changes at once.

    \b
    Exit status:
      0    done
      1    the file could not be read or written, or the name is not possible
      2    wrong usage
      130  interrupted

    \b
    Examples:
      unspun keys add newsroom-cms --file keys.json
      unspun keys list --file keys.json
      unspun keys revoke newsroom-cms --file keys.json
    """
    context.obj = path


def with_store(function: Callable[..., None]) -> Callable[..., None]:
    """Pass the KeyStore to a subcommand, and report its errors. --file may stand before or after the subcommand."""

    @click.option("--file", "path", metavar="FILE", type=FILE, help="File of the keys, if not given before.")
    @click.pass_obj
    @wraps(function)
    def with_file(former: Path | None, /, path: Path | None, **arguments: Any) -> None:
        file = path or former
        if file is None:
            raise click.UsageError("name the file of the keys with --file FILE, or set UNSPUN_KEYS_FILE.")
        with reported(KeysError):
            function(KeyStore(file), **arguments)

    return with_file


@keys.command(short_help="Create a key.")
@click.argument("name")
@with_store
def add(store: KeyStore, name: str) -> None:
    """Create a key for NAME and print it. It cannot be shown again.

    \b
    Exit status:
      0    created
      1    NAME is invalid or has a key already, or the file could not be written
      2    wrong usage

    \b
    Example:
      unspun keys add newsroom-cms --file keys.json
    """
    click.echo(store.add(name))
    complain(f"this is the key of {name}; save it now, since only its hash is stored")


@keys.command("list", short_help="List the names of all keys.")
@with_store
def list_keys(store: KeyStore) -> None:
    """List the names of all keys, and when each was created.

    \b
    Exit status:
      0    listed
      1    the file could not be read
      2    wrong usage

    \b
    Example:
      unspun keys list --file keys.json
    """
    for key in store.all():
        click.echo(f"{key.created}  {key.name}")


@keys.command(short_help="Revoke a key.")
@click.argument("name")
@with_store
def revoke(store: KeyStore, name: str) -> None:
    """Revoke the key of NAME; a running service refuses it at once.

    \b
    Exit status:
      0    revoked
      1    NAME has no key, or the file could not be written
      2    wrong usage

    \b
    Example:
      unspun keys revoke newsroom-cms --file keys.json
    """
    store.revoke(name)
