"""Labels in a running service: the store, used in threads of its own, and problem documents if it fails."""

from __future__ import annotations

import logging
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
"""Seconds that a request waits for the database; more than a statement may take."""
RETRY_SECONDS, RETRY_LATER_SECONDS = 5, 300
"""Seconds until a retry makes sense, and if only an update of the service helps."""


class Keeper:
    """Adds, reads and deletes labels for requests. Threads and greenlets may share it. All methods raise RequestError.

    `run` is where the database is used. If that is not where texts are scored, a slow database does not delay verdicts.
    """

    def __init__(self, url: str, run: Runner = run_here) -> None:
        self._store = Store(url, migrates=True)
        self._run = run

    def start(self) -> None:
        """Bring the database up to date. If that fails, log it: the first label tries again."""
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
        """Store a label. Return it and True, or the same label from a moment ago and False."""
        return self._ask(lambda: self._store.add(label), "The label was not stored")

    def get(self, id: str) -> Label:
        """Return a label."""
        found = self._ask(lambda: self._store.get(id), "The label was not read") if ID.fullmatch(id) else None
        if found is None:
            raise _unknown()
        return found

    def delete(self, id: str) -> None:
        """Delete a label, and its text if that was kept."""
        if not ID.fullmatch(id) or not self._ask(lambda: self._store.delete([id]), "The label was not deleted"):
            raise _unknown()

    def _ask(self, function: Callable[[], Result], failed: str) -> Result:
        try:
            return self._run(function, SECONDS)
        except StoreError as error:
            event("database of labels failed", logging.ERROR, reason=str(error))
            wait = RETRY_LATER_SECONDS if isinstance(error, NewerSchemaError) else RETRY_SECONDS
            detail = f"{failed}. Label database: {error.reason}; {error.advice}."
            raise RequestError("not-stored", detail, retry_after=wait) from None
        except TimeoutError:
            detail = f"{failed}: the label database did not respond within {SECONDS:g} seconds. Send the request again."
            raise RequestError("not-stored", detail, retry_after=RETRY_SECONDS) from None
        except RequestError as problem:  # too many requests are waiting
            detail = f"{failed}: too many requests are waiting for the label database. Try again in a moment."
            raise RequestError("not-stored", detail, retry_after=1) from problem


def _unknown() -> RequestError:
    return RequestError("not-found", "There is no label with this id. It may have been deleted.")
