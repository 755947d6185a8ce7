"""API keys and rate limits."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

from flask import Flask, Request, current_app, g, request
from flask_limiter import Limiter, RateLimitExceeded
from limits import RateLimitItem, parse_many

from unspun.service.http.config import Settings
from unspun.service.http.keys import KeysError, KeyStore
from unspun.service.http.logs import event
from unspun.service.http.metrics import COUNTING_ALONE
from unspun.service.http.problems import RequestError

PATIENCE: Any = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25}
"""Seconds to wait for Redis before each worker counts on its own."""


class Gate:
    """Checks API keys and rate limits. Each application has one."""

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
            # While Redis is unavailable, each worker counts on its own.
            in_memory_fallback_enabled=redis,
            swallow_errors=redis,
            key_prefix="unspun",
            enabled=bool(self._limits),
        )
        limited = limiter.shared_limit(settings.rate_limit or "1/second", scope="texts", cost=lambda: int(g.texts))
        self._count: Callable[[], None] = limited(_nothing) if self._limits else _nothing
        self._limiter = limiter
        self._uses_redis = redis and bool(self._limits)
        self._alone = False

    @property
    def needs_key(self) -> bool:
        """Whether requests need an API key."""
        return self._store is not None

    def authenticate(self, key: str | None) -> None:
        """Note whose key the current request has. Raises RequestError if it is required and not valid."""
        if self._store is None:
            return
        try:
            name = None if key is None else self._store.name_of(key)
        except KeysError as error:
            event("API keys cannot be read", logging.ERROR, reason=str(error))
            raise RequestError(
                "unavailable", "The API keys cannot be read at the moment. The log says why.", retry_after=5
            ) from None
        if name is None:
            detail = (
                "Send an API key as `Authorization: Bearer KEY`."
                if key is None
                else "This API key is unknown or has been revoked."
            )
            raise RequestError("unauthorized", detail, headers={"WWW-Authenticate": 'Bearer realm="unspun"'})
        g.key_name = name

    def spend(self, texts: int = 1) -> None:
        """Count texts against the caller's rate limits. Raises RequestError if they are exceeded."""
        most = min((limit.amount for limit in self._limits), default=texts)
        if texts > most:
            raise RequestError(
                "too-many-items",
                f"The rate limit allows {most:,} texts at a time; this batch has {texts:,}. Send smaller batches.",
                limit=most,
            )
        g.texts = texts
        try:
            self._count()
        except RateLimitExceeded as error:
            current = self._limiter.current_limit
            seconds = 1 if current is None else max(1, math.ceil(current.reset_at - time.time()))
            detail = f"The rate limit is {error.limit.limit}, counted in texts. Try again in {seconds} seconds."
            raise RequestError("rate-limited", detail, retry_after=seconds) from None
        finally:
            self._report_redis()

    def _report_redis(self) -> None:
        """Log and count when this worker begins, and ceases, to count on its own. The limiter itself says nothing."""
        alone = self._uses_redis and self._limiter.limiter.storage is not self._limiter.storage
        if alone != self._alone:
            self._alone = alone
            COUNTING_ALONE.set(alone)
            if alone:
                event("Redis does not answer, each worker counts on its own", logging.ERROR)
            else:
                event("Redis answers again")


def _nothing() -> None:
    """Do nothing: flask-limiter counts calls of a function, and only the count is needed."""


def _caller() -> str:
    """Return whose rate limit a request counts against: that of its API key, or of its address."""
    name = g.get("key_name")
    return f"key:{name}" if name is not None else f"address:{request.remote_addr or 'unknown'}"


def gate() -> Gate:
    """Return the gate of the current application."""
    gate: Gate = current_app.extensions["unspun.gate"]
    return gate


def key_of(asked: Request) -> str | None:
    """Return the API key of a request, None if it has none."""
    scheme, _, key = asked.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and key.strip():
        return key.strip()
    return asked.headers.get("X-API-Key")
