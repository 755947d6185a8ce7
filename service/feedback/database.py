"""Where labels are kept: a SQLite file or a PostgreSQL database, its schema, and what is said when it fails.

The schema is brought up to date in one transaction, under a lock that all processes heed: SQLite's own on the file, an
advisory lock on PostgreSQL. A schema of a later version of unspun is refused.
"""

from __future__ import annotations

import os
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
"""Number of the advisory lock under which PostgreSQL is migrated."""
DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg"}
WAIT_SECONDS = 5
"""How long a statement may wait for others who write."""
PATIENCE = {
    "connect_timeout": 3,
    "keepalives_idle": 10,
    "keepalives_interval": 3,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}
"""libpq's settings for a server that does not answer: seconds, the last one milliseconds. Those of the URL win."""
CONNECTIONS = 4
"""Most connections of a process to PostgreSQL."""
FORMS = "write it like sqlite:///feedback.db or postgresql://user:password@host/database"


class StoreError(Exception):
    """Labels cannot be read or written. The message says where, why and what to do, in one line, without a password.

    `reason` and `advice` alone name neither the place nor anything of a text.
    """

    def __init__(self, where: str, reason: str, advice: str, detail: str = "") -> None:
        super().__init__(f"{where}: {reason}{f' ({detail})' if detail else ''}; {advice}")
        self.where = where
        self.reason = reason
        self.advice = advice


class NewerSchemaError(StoreError):
    """A later version of unspun has migrated the database."""


def parse_url(value: str) -> URL:
    """Return the address of a database; a path is that of a SQLite file. Raises ValueError, without the password."""
    if "://" not in value:
        return URL.create("sqlite", database=value)
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ValueError(f"not the address of a database; {FORMS}") from None
    driver = DRIVERS.get(url.get_backend_name())
    if driver is None:
        raise ValueError(f"labels are kept in SQLite or PostgreSQL, not in {url.get_backend_name()}; {FORMS}")
    if driver == "sqlite" and url.database in (None, "", ":memory:"):
        raise ValueError("labels are kept in a file; write it like sqlite:///feedback.db")
    return url.set(drivername=driver)


class Database:
    """A database of labels. Threads may share it, and so may processes that fork before they first use it.

    `migrates`: may whoever uses it bring its schema up to date? Of a SQLite file anybody may; a PostgreSQL database
    is others' too, so that only a service and `unspun feedback migrate` do.
    """

    def __init__(self, url: str | URL, *, migrates: bool | None = None) -> None:
        self.url = parse_url(url) if isinstance(url, str) else url
        self._sqlite = self.url.get_backend_name() == "sqlite"
        self.migrates = self._sqlite if migrates is None else migrates
        self.where = str(self.url.database) if self._sqlite else _without_secrets(self.url)
        with self._explained():
            self._engine = _sqlite_engine(self.url) if self._sqlite else _postgresql_engine(self.url)

    @property
    def is_sqlite(self) -> bool:
        """Whether it is a file."""
        return self._sqlite

    def close(self) -> None:
        """Close all connections."""
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Give a connection in a transaction that only reads. Raises StoreError."""
        self._prepare()
        with self._transaction(write=False) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Give a connection in a transaction that holds from its end on, or not at all. Raises StoreError."""
        self._prepare(create=True)
        with self._transaction(write=True) as connection:
            yield connection

    def migrate(self) -> tuple[str | None, str]:
        """Bring the schema up to date; return its revision before, None for an empty database, and now.

        Raises StoreError.
        """
        self._create_file()
        with self._transaction(write=True) as connection:
            if not self._sqlite:
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
        """Make sure that the schema is this version's. Raises StoreError."""
        if self._sqlite and not Path(str(self.url.database)).exists():
            if not create:
                raise StoreError(self.where, "there is no such database", "labels that are added or imported make it")
            self._create_file()
        with self._transaction(write=False) as connection:
            revision = self._revision(connection)
        if revision == _head():
            return
        self._check(revision)
        if not self.migrates:
            told = "it is empty" if revision is None else f"its schema is an earlier version's ({revision})"
            raise StoreError(self.where, told, "`unspun feedback migrate` brings it up to date")
        self.migrate()

    def _revision(self, connection: Connection) -> str | None:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        return context.get_current_revision()

    def _check(self, revision: str | None) -> None:
        """Raise StoreError where a revision is none that this version of unspun knows."""
        if revision is None:
            return
        try:
            _scripts(MIGRATIONS).get_revision(revision)
        except AlembicError:
            raise NewerSchemaError(
                self.where,
                f"a later version of unspun has migrated it (to {revision}, this one knows {_head()})",
                "update unspun here",
            ) from None

    def _create_file(self) -> None:
        """Make an empty file that only its owner may read: it may come to hold texts. Raises StoreError."""
        if not self._sqlite:
            return
        try:
            os.close(os.open(str(self.url.database), os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        except FileExistsError:
            return
        except OSError as error:
            advice = "name a file in a folder that is there and can be written to"
            raise StoreError(self.where, "it cannot be made", advice, error.strerror or "") from error

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
        """Raise StoreError for what the database, its driver or the lack of one raises."""
        try:
            yield
        except SQLAlchemyError as error:
            reason, advice, detail = _explain(error)
            raise StoreError(self.where, reason, advice, detail) from error
        except ModuleNotFoundError as error:
            raise StoreError(self.where, f"it needs {error.name}", "pip install 'unspun[feedback]'") from error


def _sqlite_engine(url: URL) -> Engine:
    # No pool: opening a file is quick, and whoever replaces the file is heard at once.
    engine = create_engine(url, poolclass=NullPool, connect_args={"timeout": WAIT_SECONDS}, hide_parameters=True)

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _: Any) -> None:
        connection.isolation_level = None  # transactions begin below, and nowhere else: else DDL would be outside
        connection.execute("PRAGMA secure_delete = ON").close()  # of a deleted text nothing is left in the file

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # Who writes takes the lock at once: two that had read first would each wait for the other to end.
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
        pool_pre_ping=True,  # a server that was started anew has forgotten the old connections
        connect_args={**patience, "prepare_threshold": None},  # poolers such as PgBouncer know no prepared statements
        hide_parameters=True,
    )

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = '{2 * WAIT_SECONDS}s'")
        connection.exec_driver_sql(f"SET LOCAL lock_timeout = '{WAIT_SECONDS}s'")

    return engine


def _without_secrets(url: URL) -> str:
    """Return an address as it may be shown: what stands in its query may be a secret, too."""
    return url.set(drivername="postgresql", query={}).render_as_string(hide_password=True)


@cache
def _scripts(folder: Path) -> ScriptDirectory:
    return ScriptDirectory(str(folder))


def _head() -> str:
    head = _scripts(MIGRATIONS).get_current_head()
    assert head is not None
    return head


def _explain(error: SQLAlchemyError) -> tuple[str, str, str]:
    """Return why the database failed, what to do, and what the driver says of it where that holds no text."""
    if isinstance(error, PoolTimeoutError):
        return "all connections to it are in use", "try again in a moment", ""
    original = error.orig if isinstance(error, DBAPIError) else None
    detail = next(iter(str(original).splitlines()), "")
    state = getattr(original, "sqlstate", None)
    if state is None:
        return *_known(detail), "" if original is None else detail
    for start, reason, advice in STATES:
        if state.startswith(start):
            return reason, advice, ""
    return "it does not do what it is asked", "the log of the database tells more", f"SQLSTATE {state}"


def _known(detail: str) -> tuple[str, str]:
    for part, reason, advice in MESSAGES:
        if part in detail:
            return reason, advice
    return "it cannot be used", "make sure that it runs, and that its address is right"


AGAIN = "try again in a moment"
PERMISSIONS = "check who may write to it and to its folder"
ACCESS = "check the user, the password and the database in its address"
MESSAGES = (
    ("database is locked", "another program is writing to it", AGAIN),
    ("readonly", "it cannot be written to", PERMISSIONS),
    ("unable to open", "it cannot be opened", PERMISSIONS),
    ("not a database", "it is no SQLite database", "name another file, or restore it from a back-up"),
    ("malformed", "it is damaged", "restore it from a back-up"),
    ("is full", "there is no room left for it", "free some"),
    ("authentication failed", "it refuses this user", ACCESS),
    ("does not exist", "it refuses this user", ACCESS),
    ("starting up", "it is starting", AGAIN),
    ("shutting down", "it is shutting down", "start it again"),
    ("too many clients", "all connections to it are in use", AGAIN),
)
"""What SQLite, or libpq while it connects, may say; and what that means."""
STATES = (
    ("25006", "it cannot be written to", "it is read-only at the moment; is it a standby?"),
    ("42501", "this user may not do that", "grant the rights, or use the owner of the tables"),
    ("55P03", "another program holds it", AGAIN),
    ("57014", "it did not answer in time", AGAIN),
    ("57P", "it is shutting down", "start it again"),
    ("08", "the connection broke", AGAIN),
    ("53", "it has no room left", "free some"),
)
"""Beginnings of SQLSTATE, which PostgreSQL gives once there is a connection."""
