"""The users of `python -m benchmarks.load`, for Locust: each sends one article after another and checks the answers."""

from __future__ import annotations

import json
import os
from itertools import count
from pathlib import Path

import gevent
from locust import FastHttpUser, task

from benchmarks.load import ARTICLES_FILE, Article

ARTICLES = [Article(**article) for article in json.loads(Path(os.environ[ARTICLES_FILE]).read_text("utf-8"))]
NUMBERS = count()
gevent.get_hub().loop.update_now()  # or Locust's time limit would count from before the imports


class ReadingUser(FastHttpUser):
    """A user who waits for nothing but the answers."""

    @task
    def score(self) -> None:
        """Send the next article and check its answer."""
        number = next(NUMBERS)
        id, article = f"load-{number}", ARTICLES[number % len(ARTICLES)]
        headers = {"Content-Type": "application/json", "X-Request-ID": id}
        pause = 0.0
        with self.client.post(
            "/v1/score", data=article.body(id), headers=headers, name=f"{article.tier} tier", catch_response=True
        ) as response:
            found = response.headers or {}
            if response.status_code == 503 and found.get("Retry-After", "").isdecimal():
                response.request_meta["name"] = "busy (503)"
                response.success()
                pause = float(found["Retry-After"])
            elif problem := article.problem(id, response.status_code, found, response.content or b""):
                response.failure(problem)
        gevent.sleep(pause)
