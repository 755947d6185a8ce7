"""The label store of a running service, which turns errors of the database into problem documents."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from unspun.service.feedback.database import NewerSchemaError, StoreError
from unspun.service.feedback.labels import ID, Label
from unspun.service.feedback.store import Store
from unspun.service.http.engine import Runner, run_here
from unspun.service.http.logs import event
from unspun.service.http.problems import RequestError

Result = TypeVar("Result")

SECONDS = 15.0
"""How long a request waits for the database, which is longer than the time limit of a statement."""
COMMIT_SECONDS = 1.0
"""A change that is not ready this long before that is rolled back, since nobody waits for it any more."""
UNKNOWN = "The label was probably not stored (an equal label within a minute counts once)"
RETRY_SECONDS, RETRY_LATER_SECONDS = 5, 300
"""When to retry after a failure, and after one that only an update of the service can fix."""


class Keeper:
    """Adds, reads and deletes labels for requests. Threads and greenlets may share it. All methods raise RequestError.

    `run` gives the database its own threads, so that texts are scored even if it does not answer.
    """

    def __init__(self, url: str, run: Runner = run_here) -> None:
        self._store = Store(url, migrates=True)
        self._run = run

    def start(self) -> None:
        """Migrate the database. A failure is logged, and the first label tries again."""
        try:
            before, now = self._store.database.migrate()
        except StoreError as error:
            event("labels cannot be stored", logging.ERROR, reason=str(error))
        else:
            if before != now:
                event("database of labels migrated", before=before, now=now)
        finally:
            self.close()  # workers must not inherit connections

    def close(self) -> None:
        """Close all connections."""
        self._store.database.close()

    def add(self, label: Label) -> tuple[Label, bool]:
        """Store a label; return it and True, or an equal label from a moment ago and False."""
        until = _deadline()
        return self._ask(lambda: self._store.add(label, deadline=until), "The label was not stored", UNKNOWN)

    def get(self, id: str) -> Label:
        """Return a label."""
        found = self._ask(lambda: self._store.get(id), "The label was not read") if ID.fullmatch(id) else None
        if found is None:
            raise _unknown()
        return found

    def delete(self, id: str) -> None:
        """Delete a label, and its text if that was stored."""
        until = _deadline()
        if not ID.fullmatch(id) or not self._ask(
            lambda: self._store.delete([id], deadline=until), "The label was not deleted"
        ):
            raise _unknown()

    def _ask(self, function: Callable[[], Result], failed: str, late: str = "") -> Result:
        """Return what the store returns; `failed` and `late` say what a failure, or no answer, means."""
        try:
            return self._run(function, SECONDS)
        except StoreError as error:
            wait = RETRY_LATER_SECONDS if isinstance(error, NewerSchemaError) else RETRY_SECONDS
            detail = f"{failed}. The database of labels {error.reason}; {error.advice}."
            raise _refused(str(error), detail, wait) from None
        except TimeoutError:
            reason = f"the database of labels did not answer within {SECONDS:g} seconds"
            raise _refused(reason, f"{late or failed}: {reason}. Try again.", RETRY_SECONDS) from None
        except RequestError as problem:
            reason = "too many requests are waiting for the database of labels"
            raise _refused(reason, f"{failed}: {reason}. Try again in a moment.", 1) from problem


def _deadline() -> float:
    """Return until when a change that a request asks for now may be made, even if it has to wait for its turn."""
    return time.monotonic() + SECONDS - COMMIT_SECONDS


def _refused(reason: str, detail: str, wait: float) -> RequestError:
    """Log why a request is refused, which may be more than clients are told, and return its problem."""
    event("database of labels failed", logging.ERROR, reason=reason)
    return RequestError("not-stored", detail, retry_after=wait)


def _unknown() -> RequestError:
    return RequestError("not-found", "There is no label with this id. It may have been deleted.")
