"""What those who run the service ask: is it well, is it ready, what has it done, which model answers."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST

from unspun.model.decision.decision import SCORE_PARAPHRASED, SCORE_SUSPECT
from unspun.model.detector import Detector
from unspun.service.http import metrics
from unspun.service.http.engine import Model
from unspun.service.http.openapi import document
from unspun.service.http.problems import Problem
from unspun.service.http.protection import gate, key_of
from unspun.service.http.routes.score import engine, settings

blueprint = Blueprint("operations", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """Tell that the worker lives."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> dict[str, Any]:
    """Tell that requests are welcome."""
    if engine().draining():
        raise Problem("unavailable", "The service is shutting down; requests under way are finished.", retry_after=5)
    return {"status": "ready", "model": engine().model.model.to_dict()}


@blueprint.get("/metrics")
def prometheus() -> Response:
    """Return the figures of all workers."""
    return Response(metrics.render(), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/v1/model")
def model() -> Response:
    """Tell of the model in use: who it is, its thresholds, and how accurate it was measured to be."""
    gate().authenticate(key_of(request))
    body = json.dumps(describe(engine().model), ensure_ascii=False)
    return Response(f"{body}\n", mimetype="application/json")


@blueprint.get("/v1/openapi.json")
def openapi() -> Response:
    """Return the description of this API."""
    return Response(json.dumps(document(settings()), indent=1), mimetype="application/json")


def describe(scorer: Model) -> dict[str, Any]:
    """Return what /v1/model tells. The thresholds of scores are those of every model, length and tier."""
    about: dict[str, Any] = {"model": scorer.model.to_dict()}
    if not isinstance(scorer, Detector):
        return about
    manifest, decision = scorer.bundle.manifest, scorer.decision
    about["depths"] = ["auto", *decision.tiers]
    about["thresholds"] = {
        "score": {"paraphrased": SCORE_PARAPHRASED, "suspect": SCORE_SUSPECT},
        "false_positive_rate": {
            tier: {"paraphrased": one.paraphrased, "suspect": one.suspect} for tier, one in decision.tiers.items()
        },
    }
    about["accuracy"] = manifest.get("accuracy")
    about["manifest"] = {key: value for key, value in manifest.items() if key != "accuracy"}
    return about
