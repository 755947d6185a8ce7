"""`unspun keys`: API keys for the service."""

from __future__ import annotations

from pathlib import Path

import click

from unspun.service.commands.common import reported
from unspun.service.console import complain
from unspun.service.http.keys import KeysError, KeyStore


@click.group(short_help="Create and revoke API keys for the service.")
@click.option(
    "--file",
    "path",
    metavar="FILE",
    envvar="UNSPUN_KEYS_FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File of the keys, which are stored as hashes. Default: $UNSPUN_KEYS_FILE.",
)
@click.pass_context
def keys(context: click.Context, path: Path) -> None:
    """Create and revoke API keys. A service with UNSPUN_KEYS_FILE requires one, and applies changes at once.

    \b
    Examples:
      unspun keys --file keys.json add newsroom-cms
      unspun keys --file keys.json revoke newsroom-cms
    """
    context.obj = KeyStore(path)


@keys.command(short_help="Create a key.")
@click.argument("name")
@click.pass_obj
def add(store: KeyStore, name: str) -> None:
    """Create a key for NAME and print it. It cannot be shown again.

    \b
    Example:
      unspun keys --file keys.json add newsroom-cms
    """
    with reported(KeysError):
        key = store.add(name)
    click.echo(key)
    complain(f"this is the key of {name}; save it now, since only its hash is stored")


@keys.command("list", short_help="List the names of all keys.")
@click.pass_obj
def list_keys(store: KeyStore) -> None:
    """List the names of all keys, and when each was created.

    \b
    Example:
      unspun keys --file keys.json list
    """
    with reported(KeysError):
        for key in store.all():
            click.echo(f"{key.created}  {key.name}")


@keys.command(short_help="Revoke a key.")
@click.argument("name")
@click.pass_obj
def revoke(store: KeyStore, name: str) -> None:
    """Revoke the key of NAME; a running service refuses it at once.

    \b
    Example:
      unspun keys --file keys.json revoke newsroom-cms
    """
    with reported(KeysError):
        store.revoke(name)
