"""The database of labels: a SQLite file or a PostgreSQL database, its schema, and its errors in plain words.

Migrations run in one transaction under a lock between processes: SQLite's own lock on the file, or an advisory lock in
PostgreSQL. A schema of a newer version of unspun is refused.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError as AlembicError
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, func, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

MIGRATIONS = Path(__file__).parent / "migrations"
VERSION_TABLE = "unspun_revision"
LOCK = 0x756E7370756E
"""Number of the advisory lock for migrations in PostgreSQL."""
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
WAIT_SECONDS = 5
"""How long a statement may wait for other writers."""
PATIENCE = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's time limits for a silent server, in seconds, the last one in milliseconds. Those in the URL have priority."""
CONNECTIONS = 4
"""Maximum number of connections from a process to PostgreSQL."""
FORMS = "use the form sqlite:///feedback.db or postgresql://user:password@host/database"


class StoreError(Exception):
    """Labels cannot be read or written. The message says where, why and what to do, in one line, without a password.

    `reason`, a phrase such as "is damaged", and `advice` contain neither the address nor any text.
    """

    def __init__(self, where: str, reason: str, advice: str, detail: str = "") -> None:
        super().__init__(f"{where} {reason}{f' ({detail})' if detail else ''}; {advice}")
        self.where = where
        self.reason = reason
        self.advice = advice


class NewerSchemaError(StoreError):
    """A newer version of unspun has migrated the database."""


def parse_url(value: str) -> URL:
    """Parse the address of a database; a path means a SQLite file. Raises ValueError, without the password."""
    if "://" not in value:
        return URL.create("sqlite", database=value)
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(f"not the address of a database; {FORMS}") from None
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise ValueError(f"labels can be stored in SQLite or PostgreSQL, not in {url.get_backend_name()}; {FORMS}")
    if driver == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("labels need a file, not a database in memory; use the form sqlite:///feedback.db")
    return url.set(drivername=driver)


class Database:
    """A database of labels. Threads may share it, and so may processes that fork before its first use.

    `migrates` says whether any use may migrate the schema. By default that is so for a SQLite file, but not for a
    PostgreSQL database, which others may use too; only the service and `unspun feedback migrate` migrate that.
    """

    def __init__(self, url: str | URL, *, migrates: bool | None = None) -> None:
        self.url = parse_url(url) if isinstance(url, str) else url
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.migrates = self.is_sqlite if migrates is None else migrates
        self.where = str(self.url.database) if self.is_sqlite else _without_secrets(self.url)
        with self._explained():
            self._engine = _sqlite_engine(self.url) if self.is_sqlite else _postgresql_engine(self.url)

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection in a read-only transaction. Raises StoreError."""
        self._prepare()
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def writing(self, deadline: float = math.inf) -> Iterator[Connection]:
        """Yield a connection in a transaction that is rolled back if the block raises. Raises StoreError.

        The transaction is also rolled back if it is not ready by the `deadline`, a time of `time.monotonic`: then
        nobody waits for it any more.
        """
        self._prepare(create=True)
        with self._transaction(write=True) as connection:
            yield connection
            if time.monotonic() >= deadline:
                raise StoreError(self.where, *LATE)

    def migrate(self) -> tuple[str | None, str]:
        """Migrate the schema; return the old revision, None for an empty database, and the new one.

        Raises StoreError.
        """
        self._create_file()
        with self._transaction(write=True) as connection:
            if not self.is_sqlite:
                connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
            before = self._revision(connection)
            head = _head()
            if before != head:
                self._check(before)
                config = Config()
                config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
                config.attributes.update(connection=connection, version_table=VERSION_TABLE)
                command.upgrade(config, "head")
        return before, head

    def _prepare(self, *, create: bool = False) -> None:
        """Make sure that the schema is up to date. Raises StoreError."""
        if self.is_sqlite and not Path(str(self.url.database)).exists():
            if not create:
                raise StoreError(self.where, "does not exist", "add or import labels to create it")
            self._create_file()
        with self._transaction(write=False) as connection:
            revision = self._revision(connection)
        if revision == _head():
            return
        self._check(revision)
        if not self.migrates:
            reason = "is empty" if revision is None else f"has an older schema ({revision})"
            raise StoreError(self.where, reason, "run `unspun feedback migrate`")
        self.migrate()

    def _revision(self, connection: Connection) -> str | None:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision()

    def _check(self, revision: str | None) -> None:
        """Raise NewerSchemaError if this version of unspun does not know a revision."""
        if revision is None:
            return
        try:
            _scripts(MIGRATIONS).get_revision(revision)
        except AlembicError:
            raise NewerSchemaError(
                self.where,
                f"was migrated by a newer version of unspun (to {revision}; this version knows {_head()})",
                "update unspun",
            ) from None

    def _create_file(self) -> None:
        """Create an empty file that only its owner can read, because it may store texts. Raises StoreError."""
        if not self.is_sqlite:
            return
        try:
            os.close(os.open(str(self.url.database), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            advice = "choose a file in an existing, writable folder"
            raise StoreError(self.where, "cannot be created", advice, error.strerror or "") from error

    @contextmanager
    def _transaction(self, *, write: bool) -> Iterator[Connection]:
        with (
            self._explained(),
            self._engine.execution_options(unspun_write=write).connect() as connection,
            connection.begin(),
        ):
            yield connection

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Turn errors of the database and a missing driver into StoreError."""
        try:
            yield
        except SQLAlchemyError as error:
            reason, advice, detail = _explain(error)
            raise StoreError(self.where, reason, advice, detail) from error
        except ModuleNotFoundError as error:
            raise StoreError(self.where, f"needs {error.name}", "run pip install 'unspun[feedback]'") from error


def _sqlite_engine(url: URL) -> Engine:
    # Without a pool: opening a file is quick, and a replaced file is noticed at once.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # or the driver would run DDL outside of the transactions that begin below
        connection.execute("PRAGMA secure_delete = ON").close()  # so that no deleted text remains in the file

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A writer takes the lock at once; two that read first would deadlock.
        write = connection.get_execution_options().get("unspun_write", True)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")

    return engine


def _postgresql_engine(url: URL) -> Engine:
    patience = {name: value for name, value in PATIENCE.items() if name not in url.query}
    engine = create_engine(
        url,
        pool_size=CONNECTIONS,
        max_overflow=0,
        pool_timeout=WAIT_SECONDS,
        pool_pre_ping=True,  # connections do not survive a restart of the server
        connect_args={**patience, "prepare_threshold": None},  # PgBouncer does not support prepared statements
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{2 * WAIT_SECONDS}s'")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")

    return engine


def _without_secrets(url: URL) -> str:
    """Return an address to show, without its password and its query, which may contain secrets as well."""
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


@cache
def _scripts(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder))


def _head() -> str:
    head = _scripts(MIGRATIONS).get_current_head()
    assert head is not None
    return head


def _explain(error: SQLAlchemyError) -> tuple[str, str, str]:
    """Return the reason, the advice, and the driver's message if it cannot contain a text."""
    if isinstance(error, PoolTimeoutError):
        return NO_CONNECTION, AGAIN, ""
    original = error.orig if isinstance(error, DBAPIError) else None
    detail = next(iter(str(original).splitlines()), "")
    state = getattr(original, "sqlstate", None)
    if state is None:
        return *_known(detail), "" if original is None else detail
    for start, reason, advice in STATES:
        if state.startswith(start):
            return reason, advice, ""
    return "refused a statement", "see the database's log", f"SQLSTATE {state}"


def _known(detail: str) -> tuple[str, str]:
    for part, reason, advice in MESSAGES:
        if part in detail:
            return reason, advice
    return "cannot be used", "check that it is running, and its address"


AGAIN = "try again in a moment"
LATE = "did not answer in time", AGAIN
PERMISSIONS = "check the permissions of the file and of its folder"
ACCESS = "check the user, the password and the database in the address"
NO_CONNECTION = "has no free connection"
MESSAGES = (
    ("database is locked", "is being written to by another program", AGAIN),
    ("readonly", "cannot be written to", PERMISSIONS),
    ("unable to open", "cannot be opened", PERMISSIONS),
    ("not a database", "is not a SQLite database", "choose another file, or restore it from a backup"),
    ("malformed", "is damaged", "restore it from a backup"),
    ("is full", "has no disk space left", "free some"),
    ("authentication failed", "refuses this user", ACCESS),
    ("does not exist", "refuses this user", ACCESS),
    ("starting up", "is starting", AGAIN),
    ("shutting down", "is shutting down", "start it again"),
    ("too many clients", NO_CONNECTION, AGAIN),
)
"""Parts of messages of SQLite, and of libpq while it connects, with the reason and the advice."""
STATES = (
    ("25006", "is read-only at the moment", "check whether it is a standby"),
    ("42501", "does not permit this to this user", "grant the privileges, or use the owner of the tables"),
    ("55P03", "is locked by another program", AGAIN),
    ("57014", *LATE),
    ("57P", "is shutting down", "start it again"),
    ("08", "closed the connection", AGAIN),
    ("53", "has run out of disk space, memory or connections", "free some"),
)
"""Prefixes of SQLSTATE, which PostgreSQL sends once there is a connection, with the reason and the advice."""
