"""`unspun keys`: who may use the service."""

from __future__ import annotations

from pathlib import Path

import click

from unspun.service.console import CommandError, complain
from unspun.service.http.keys import KeysError, KeyStore


@click.group(short_help="Make and revoke API keys for the service.")
@click.option(
    "--file",
    "path",
    metavar="FILE",
    envvar="UNSPUN_KEYS_FILE",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where keys are kept, as hashes. Default: UNSPUN_KEYS_FILE.",
)
@click.pass_context
def keys(context: click.Context, path: Path) -> None:
    """Make and revoke API keys. A service that runs with UNSPUN_KEYS_FILE asks for one, and heeds changes at once.

    \b
    Examples:
      unspun keys --file keys.json add newsroom-cms
      unspun keys --file keys.json revoke newsroom-cms
    """
    context.obj = KeyStore(path)


@keys.command()
@click.argument("name")
@click.pass_obj
def add(store: KeyStore, name: str) -> None:
    """Make a key for NAME and print it: it cannot be shown again."""
    try:
        key = store.add(name)
    except KeysError as error:
        raise CommandError(str(error)) from error
    click.echo(key)
    complain(f"this is {name}'s key; keep it now, only its hash is stored")


@keys.command("list")
@click.pass_obj
def list_keys(store: KeyStore) -> None:
    """List whose keys there are, and since when."""
    try:
        for key in store.all():
            click.echo(f"{key.created}  {key.name}")
    except KeysError as error:
        raise CommandError(str(error)) from error


@keys.command()
@click.argument("name")
@click.pass_obj
def revoke(store: KeyStore, name: str) -> None:
    """Take NAME's key away; a running service refuses it from now on."""
    try:
        store.revoke(name)
    except KeysError as error:
        raise CommandError(str(error)) from error
