"""The HTTP service in this process, without a server or a model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from tests.service.fake_detector import load_fake
from unspun.service.http.app import create_app
from unspun.service.http.config import Settings
from unspun.service.http.engine import Engine, Model, ModelInUse


def client_for(load: Callable[[Path | None], Model] = load_fake, **settings: Any) -> FlaskClient:
    """Return a test client of a service with some settings; its limits are small unless they are set, too."""
    chosen = Settings(**({"max_words": 200, "max_bytes": 20_000, "max_items": 10} | settings))
    return create_app(chosen, Engine(ModelInUse(load), time_limit=chosen.timeout)).test_client()
