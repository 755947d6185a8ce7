"""For operators: health, readiness, metrics, the model in use, and the OpenAPI document."""

from __future__ import annotations

import json
from typing import Any

from flask import Blueprint, Response, request
from prometheus_client import CONTENT_TYPE_LATEST

from unspun.model.decision.decision import SCORE_PARAPHRASED, SCORE_SUSPECT
from unspun.model.detector import DEPTHS, Detector
from unspun.service.batch.scoring import has_depth
from unspun.service.http import metrics
from unspun.service.http.engine import Model
from unspun.service.http.openapi import document
from unspun.service.http.problems import RequestError
from unspun.service.http.protection import gate, key_of
from unspun.service.http.routes.score import engine, settings

blueprint = Blueprint("operations", __name__)


@blueprint.get("/healthz")
def healthz() -> dict[str, str]:
    """Report that the worker is alive."""
    return {"status": "ok"}


@blueprint.get("/readyz")
def readyz() -> dict[str, Any]:
    """Report whether the service accepts requests."""
    if engine().draining():
        raise RequestError(
            "unavailable", "The service is shutting down. It finishes the requests that it has accepted.", retry_after=5
        )
    return {"status": "ready", "model": engine().model.model.to_dict()}


@blueprint.get("/metrics")
def prometheus() -> Response:
    """Return the metrics of all workers."""
    return Response(metrics.render(), content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/v1/model")
def model() -> Response:
    """Return the identity of the model in use, its thresholds and its measured accuracy."""
    gate().authenticate(key_of(request))
    body = json.dumps(describe(engine().model), ensure_ascii=False)
    return Response(f"{body}\n", mimetype="application/json")


@blueprint.get("/v1/openapi.json")
def openapi() -> Response:
    """Return the description of this API."""
    return Response(json.dumps(document(settings()), indent=1), mimetype="application/json")


def describe(scorer: Model) -> dict[str, Any]:
    """Return the response of /v1/model. The thresholds of scores are the same for every model, length and tier."""
    about: dict[str, Any] = {"model": scorer.model.to_dict()}
    if not isinstance(scorer, Detector):
        return about
    manifest, decision = scorer.bundle.manifest, scorer.decision
    about["depths"] = [depth for depth in DEPTHS if has_depth(scorer, depth)]
    about["thresholds"] = {
        "score": {"paraphrased": SCORE_PARAPHRASED, "suspect": SCORE_SUSPECT},
        "false_positive_rate": {
            tier: {"paraphrased": one.paraphrased, "suspect": one.suspect}
            for tier, one in decision.without("first").tiers.items()
        },
    }
    about["accuracy"] = manifest.get("accuracy")
    about["manifest"] = {key: value for key, value in manifest.items() if key != "accuracy"}
    return about
