"""`unspun serve`: the HTTP service."""

from __future__ import annotations

import atexit
import os
import shutil
import socket
import sys
import tempfile
from functools import partial
from typing import Any

import click

from unspun.service.commands.common import needs, warn_of_other_terms
from unspun.service.console import CommandError, complain
from unspun.service.machine import ONE_THREAD

USAGE = 2


@click.command(short_help="Run the HTTP service: an API and a web page.")
@click.option("--host", metavar="ADDRESS", help="Address to listen on. Default: $UNSPUN_HOST, else 127.0.0.1.")
@click.option("--port", metavar="PORT", help="Port to listen on. Default: $UNSPUN_PORT, else 8000.")
@click.option(
    "--workers", metavar="N", help="Number of scoring processes. Default: $UNSPUN_WORKERS, else one per core."
)
@click.option(
    "--model",
    metavar="BUNDLE",
    help="Folder of the model. Default: $UNSPUN_MODEL, else `default`, the model that ships with unspun.",
)
@click.option(
    "--allow",
    "allow_file",
    metavar="FILE",
    help="File of terms that are never evidence, one per line. Default: $UNSPUN_ALLOW_FILE, else none.",
)
@click.option(
    "--debug", is_flag=True, help="Run Flask's development server: one process that restarts when the code changes."
)
@click.option("--settings", "show", is_flag=True, help="Show all settings with their values and exit.")
def serve(debug: bool, show: bool, **options: Any) -> None:
    """Run the HTTP service: an API (POST /v1/score) and a web page at /.

    Settings are environment variables, listed by --settings. Options override them. The log is on standard error: lines
    for people on a terminal, else JSON lines. On SIGTERM the service finishes the
    requests that are in progress and exits; on SIGHUP it checks at once whether the model or the list of allowed terms
    has changed.

    \b
    Exit status:
      0    ended by SIGTERM or SIGINT, after the last request
      1    the model, the database or the address could not be used
      2    wrong usage, or an invalid setting

    \b
    Examples:
      unspun serve
      unspun serve --host 0.0.0.0 --port 80 --workers 8
      UNSPUN_RATE_LIMIT='120 per minute' UNSPUN_KEYS_FILE=keys.json unspun serve
    """
    with needs("the service", "service"):
        from unspun.service.http.config import Settings, SettingsError, unknown_variables
    try:
        settings = Settings.from_environment(os.environ, **options)
    except SettingsError as error:
        for line in error.problems:
            complain(line)
        raise click.exceptions.Exit(USAGE) from error
    for line in unknown_variables(os.environ):
        complain(f"warning: {line}")
    if show:
        _show(settings)
    elif debug:
        _develop(settings)
    else:
        _run(settings)


def _run(settings: Any) -> None:
    # One thread for each numerical library, since every core has a worker.
    os.environ.update({**ONE_THREAD, **os.environ})
    with needs("the service", "service"):
        import gunicorn  # noqa: F401
    _check_port(settings.host, settings.port)
    # The folder in which workers share their metrics must be known before the metrics are imported.
    try:
        folder = os.environ["PROMETHEUS_MULTIPROC_DIR"] = tempfile.mkdtemp(prefix="unspun-")
        owner = os.getpid()
        atexit.register(lambda: shutil.rmtree(folder, ignore_errors=True) if os.getpid() == owner else None)
        from unspun.service.http import metrics  # noqa: F401 - allocates the space
    except OSError as error:
        where = tempfile.tempdir or "the temporary folder"
        raise CommandError(f"{where}: {error.strerror}; free some space, or set TMPDIR to another folder") from error
    from unspun.service.http.server import Service

    Service(settings, _prepare(settings), folder).run()


def _check_port(host: str, port: int) -> None:
    """Fail at once if the port is in use: gunicorn would load the model first, and then try for five seconds."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.socket(family) as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            tried.bind((host, port))
    except OSError as error:
        raise CommandError(f"{host}:{port}: {error.strerror}; choose another address with --host and --port") from error


def _develop(settings: Any) -> None:
    from unspun.service.http.app import create_app
    from unspun.service.http.engine import Engine

    app = create_app(settings, Engine(_prepare(settings), time_limit=settings.timeout))
    app.run(settings.host, settings.port, debug=True, use_evalex=False, threaded=True)


def _prepare(settings: Any) -> Any:
    """Check the API keys, bring the label database up to date, and return the loaded model."""
    from unspun.model.detector import Detector
    from unspun.service.http import logs
    from unspun.service.http.engine import ModelInUse
    from unspun.service.http.keys import KeysError, KeyStore

    logs.configure(settings.log_level)
    if settings.keys_file is not None:
        try:
            KeyStore(settings.keys_file).all()
        except KeysError as error:
            raise CommandError(f"UNSPUN_KEYS_FILE: {error}") from error
    if settings.database_url is not None:
        from unspun.service.http.keeper import Keeper

        Keeper(settings.database_url.get_secret_value()).start()
    load = partial(Detector.load, device=settings.device, trusted_keys=settings.trusted_keys)
    models = ModelInUse(load, settings.model, settings.allow_file)
    warn_of_other_terms(models.model, models.allowed)
    return models


def _show(settings: Any) -> None:
    from unspun.service.http.config import variable

    for name, field in type(settings).model_fields.items():
        value = getattr(settings, name)
        click.echo(f"{variable(name)}={'' if value is None else value}")
        click.echo(f"    {field.description}")
    sys.stdout.flush()
