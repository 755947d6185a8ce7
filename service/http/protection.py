"""Who may ask, and how much: API keys and rate limits."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Request, current_app, g, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse_many

from unspun.service.http.config import Settings
from unspun.service.http.keys import KeysError, KeyStore
from unspun.service.http.logs import told
from unspun.service.http.problems import Problem

PATIENCE: Any = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25}
"""How many seconds Redis may take to answer before each worker counts for itself."""


class Gate:
    """Lets requests for verdicts in. One for an application."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self._store = None if settings.keys_file is None else KeyStore(settings.keys_file)
        self._limits: list[RateLimitItem] = parse_many(settings.rate_limit) if settings.rate_limit else []
        redis = settings.redis_url is not None
        limiter = Limiter(
            _caller,
            app=app,
            storage_uri=settings.redis_url or "memory://",
            storage_options=PATIENCE if redis else {},
            strategy="fixed-window",
            headers_enabled=True,
            # Where Redis is away, each worker counts for itself until it is back.
            in_memory_fallback_enabled=redis,
            swallow_errors=redis,
            key_prefix="unspun",
            enabled=bool(self._limits),
        )
        limited = limiter.shared_limit(settings.rate_limit or "1/second", scope="texts", cost=lambda: int(g.texts))
        self._count: Callable[[], None] = limited(_nothing) if self._limits else _nothing
        self._limiter = limiter

    @property
    def needs_key(self) -> bool:
        """Whether a key must be given."""
        return self._store is not None

    def authenticate(self, key: str | None) -> None:
        """Remember whose key this is for the request at hand. Raises Problem where a key is needed and this is none."""
        if self._store is None:
            return
        try:
            name = None if key is None else self._store.name_of(key)
        except KeysError as error:
            told(error)
            raise Problem(
                "unavailable", "The keys cannot be read at the moment; the log tells why.", retry_after=5
            ) from None
        if name is None:
            detail = (
                "Send a key as `Authorization: Bearer KEY`." if key is None else "This key is not known, or revoked."
            )
            raise Problem("unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="unspun"'})
        g.key_name = name

    def spend(self, texts: int = 1) -> None:
        """Count texts against the caller's limits. Raises Problem, or RateLimitExceeded where they are used up."""
        most = min((limit.amount for limit in self._limits), default=texts)
        if texts > most:
            raise Problem(
                "too-many-items",
                f"{most:,} texts are allowed at a time by the rate limit, this batch has {texts:,}. Send smaller ones.",
                limit=most,
            )
        g.texts = texts
        self._count()

    def seconds_until_free(self) -> float:
        """Return how long a caller who has just been refused should wait."""
        current = self._limiter.current_limit
        return 1.0 if current is None else max(1.0, current.reset_at - time.time())


def _nothing() -> None:
    """Stand for the work that a limit is put on: only the counting is wanted."""


def _caller() -> str:
    """Return on whose account a request goes: a key's, or else an address's."""
    name = g.get("key_name")
    return f"key:{name}" if name is not None else f"address:{request.remote_addr or 'unknown'}"


def gate() -> Gate:
    """Return the gate of the application at hand."""
    found = current_app.extensions["unspun.gate"]
    assert isinstance(found, Gate)
    return found


def key_of(asked: Request) -> str | None:
    """Return the key that a request carries."""
    scheme, _, key = asked.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return asked.headers.get("X-API-Key")
