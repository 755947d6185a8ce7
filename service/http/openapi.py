"""The description of the HTTP API, as an OpenAPI 3.1 document."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from importlib.metadata import version
from typing import Any, Literal, get_args, get_origin, get_type_hints

from unspun.model.comparing.comparison import RELATIONS
from unspun.model.verdict import KINDS, Evidence, ModelInfo, Repair, SpunPassage, Verdict
from unspun.service.feedback.summary import summary
from unspun.service.http.config import Settings
from unspun.service.http.problems import MEDIA_TYPE, TITLES
from unspun.service.http.schemas import ABOUT_BASE_RATE, BASE_RATE, MAX_ID, pair_schema, submission_schema
from unspun.service.render.columns import without_none

TYPES = {str: "string", int: "integer", float: "number"}
NAMES: dict[type, str] = {ModelInfo: "Model", SpunPassage: "Passage"}
"""Dataclasses that have another name here."""
PART = {"minimum": 0, "maximum": 1, "type": "number"}
BOUNDS = {"minimum": 0, "maximum": 1}
DESCRIPTIONS: dict[type, dict[str, dict[str, Any]]] = {
    Verdict: {
        "id": {"description": "As submitted."},
        "verdict": {
            "description": "`paraphrased`: said of about 0.5 % of human texts; `suspect` or worse: of about 3 %."
        },
        "kind": {"description": "The kind with the strongest signs; null where the verdict is clear or abstained."},
        "score": {
            **BOUNDS,
            "description": (
                "A scale, not a probability: 0.5 is the line of `suspect` and 0.9 that of `paraphrased`, at every "
                "length and depth. Null where unspun abstains."
            ),
        },
        "false_positive_rate": {
            **BOUNDS,
            "description": (
                "How often human text of this length shows signs at least as strong, for a source at the 90th "
                "percentile. Never below what the calibration sample supports."
            ),
        },
        "share": {**BOUNDS, "description": "Of the words, those in suspicious parts of the text; 0 for `clear`."},
        "kinds": {
            "description": (
                "The score of each kind alone. They are not probabilities and do not add up to 1. `rewritten` does not "
                "prove that a source exists: text that a language model wrote from nothing often gets it."
            )
        },
        "probability": {
            **BOUNDS,
            "description": "That a machine paraphrased the text. Left out where no base rate was given.",
        },
        "reason": {
            "description": (
                "Why unspun abstains. `unfamiliar`: the text is too unlike the text that unspun was calibrated on."
            )
        },
        "words": {"description": "Words of prose."},
        "depth": {"description": "The tier that decided."},
        "repairs": {"description": "What was repaired before the text was read."},
        "evidence": {"description": "Left out where it was not asked for."},
        "passages": {
            "description": (
                "Where in a longer text the suspicious part stands, if it is not the whole text. Left out with the "
                "evidence."
            )
        },
    },
    Evidence: {
        "start": {"description": "Offset in characters into the submitted text."},
        "end": {"description": "Offset of what follows."},
        "text": {"description": "What stands there."},
        "suggestion": {"description": "What probably stood there before."},
        "signal": {"description": "What found it."},
        "weight": {"description": "In nats: how much likelier in paraphrased than human text."},
        "alternatives": {"description": "What else may have stood there."},
    },
    Repair: {
        "what": {"description": "What was repaired, such as `zero_width`."},
        "count": {"description": "In how many places."},
    },
    SpunPassage: {
        "start": {"description": "Offset in characters into the submitted text."},
        "end": {"description": "Offset of what follows."},
        "words": {"description": "Its words of prose."},
    },
    ModelInfo: {
        "name": {"description": "Its name."},
        "version": {"description": "Its version."},
        "sha256": {"description": "Its hash."},
    },
}
"""What is said of the fields of a verdict, by dataclass; their types are its own."""
LEFT_OUT = ("probability", "evidence", "passages")
"""Fields of a verdict that are there only where they were asked for."""
VERDICT_EXAMPLE: dict[str, Any] = {
    "id": "a",
    "verdict": "paraphrased",
    "kind": "spun",
    "score": 0.97,
    "false_positive_rate": 0.0021,
    "share": 0.93,
    "kinds": {"spun": 0.97, "translated": 0.12, "rewritten": 0.08},
    "reason": None,
    "words": 812,
    "depth": "deep",
    "repairs": [{"what": "zero_width", "count": 3}],
    "evidence": [
        {
            "start": 4,
            "end": 29,
            "text": "imaginative and prescient",
            "suggestion": "vision",
            "signal": "known_phrase",
            "weight": 3.1,
            "alternatives": [],
        }
    ],
    "passages": [],
    "model": {"name": "default", "version": "2.0.0", "sha256": "0" * 64},
}
COMPARISON_EXAMPLE: dict[str, Any] = {
    "derived": True,
    "probability": 0.99,
    "kind": "spun",
    "kinds": {"copied": 0.01, "spun": 0.95, "translated": 0.02, "rewritten": 0.02},
    "share": 0.93,
    "reason": None,
    "substitutions": [{"source": "vision", "suspect": "imaginative and prescient", "count": 2}],
    "suspect": {"id": "a", "words": 409},
    "source": {"id": "b", "words": 403},
    "model": VERDICT_EXAMPLE["model"],
    "alignments": [
        {
            "suspect": {"start": 0, "end": 30},
            "source": {"start": 0, "end": 11},
            "similarity": 0.71,
            "moved": False,
            "edits": [
                {"operation": "equal", "suspect": {"start": 0, "end": 3}, "source": {"start": 0, "end": 3}},
                {"operation": "replaced", "suspect": {"start": 4, "end": 29}, "source": {"start": 4, "end": 10}},
            ],
        }
    ],
}
PAIR_EXAMPLE = {
    "suspect": "The mayor's imaginative and prescient was shared by all of the town.",
    "source": "The mayor's vision was shared by everybody in town.",
    "suspect_id": "a",
    "source_id": "b",
}
LABEL_EXAMPLE: dict[str, Any] = {
    "id": "5f3d9c0b7a1e4c2d8b6f0a9e1d7c3b52",
    "created": "2026-11-23T06:05:00.250000Z",
    "label": "spun",
    "source": "example.org",
    "comment": None,
    "digest": "0" * 64,
    "text": None,
    **summary(Verdict.from_dict(VERDICT_EXAMPLE)),
}
FEEDBACK = "What people say of a text that unspun judged. Nothing is stored without consent."
EXAMPLE = {"id": "a", "text": "The imaginative and prescient of the mayor was shared by all of the town."}


def document(settings: Settings) -> dict[str, Any]:
    """Return the document, with the limits of these settings in it."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "unspun",
            "version": version("unspun"),
            "summary": "Finds machine-paraphrased text, and shows the words that give it away.",
            "description": (
                "Every address that judges text gives the same object for the same text: the Verdict. What goes wrong "
                "is told as a problem document (RFC 9457). An `X-Request-ID` that is sent comes back with the answer. "
                + (
                    "Submitted text is neither stored nor logged."
                    if settings.database_url is None
                    else "Submitted text is not logged, and stored only where `/v1/feedback` is asked to."
                )
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "scoring", "description": "Text in, verdicts out."},
            {"name": "comparing", "description": "A suspect and its suspected source in, what became of it out."},
            *([] if settings.database_url is None else [{"name": "feedback", "description": FEEDBACK}]),
            {"name": "operations", "description": "The service and its model."},
        ],
        "paths": _paths(settings),
        "components": {
            "schemas": {
                "Submission": {**submission_schema(), "examples": [EXAMPLE]},
                **_schemas_of(Verdict) | {"Verdict": {**_schema_of(Verdict), "examples": [VERDICT_EXAMPLE]}},
                "Pair": {**pair_schema(), "examples": [PAIR_EXAMPLE]},
                "Comparison": _comparison(),
                "Alignment": _alignment(),
                "Edit": _edit(),
                "Span": _span(),
                "Problem": _problem(),
                **({} if settings.database_url is None else _label_schemas()),
            },
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key from `unspun keys add`."},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


def _paths(settings: Settings) -> dict[str, Any]:
    reading = ("400", "408", "413", "415", "422", "429", "503")
    secured: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}] if settings.keys_file else []
    query = [
        _query("id", {"type": "string", "maxLength": MAX_ID}, "What the verdict is to be known by."),
        _query("evidence", {"type": "boolean", "default": True}, "Whether to look for the words that give it away."),
        _query("depth", {"enum": ["auto", "fast", "deep"], "default": "auto"}, "The tier that decides."),
        _query("base_rate", BASE_RATE, ABOUT_BASE_RATE),
    ]
    # No schema: any bytes may be a text in some encoding, and which are none no schema can tell.
    plain = {"example": EXAMPLE["text"]}
    return {
        "/v1/score": {
            "post": {
                "operationId": "score",
                "tags": ["scoring"],
                "summary": "Judge one text",
                "description": (
                    "A JSON object, plain text, or a page that is reduced to its article; up to "
                    f"{settings.max_bytes:,} bytes and {settings.max_words:,} words, which may be gzipped. What "
                    "stands in the query holds where the body does not say otherwise."
                ),
                "security": secured,
                "parameters": query,
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {"schema": _ref("Submission")},
                        "text/plain": plain,
                        "text/html": plain,
                    },
                },
                "responses": {"200": _json("The verdict.", _ref("Verdict"), VERDICT_EXAMPLE)}
                | _problems(*reading, keys=bool(secured)),
            }
        },
        "/v1/score/batch": {
            "post": {
                "operationId": "scoreBatch",
                "tags": ["scoring"],
                "summary": "Judge a list of texts",
                "description": (
                    f"Up to {settings.max_items:,} texts. The answer holds as many items, in the same order: each a "
                    "verdict, or the problem of that text alone, which has a `status`."
                ),
                "security": secured,
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/json": {
                            "schema": {
                                "type": "array",
                                # Anything at all: what is no submission is answered with a problem in its place.
                                "items": {"anyOf": [_ref("Submission"), {}]},
                            },
                            "example": [EXAMPLE],
                        }
                    },
                },
                "responses": {
                    "200": _json(
                        "Verdicts and problems.",
                        {"type": "array", "items": {"anyOf": [_ref("Verdict"), _ref("Problem")]}},
                        [VERDICT_EXAMPLE],
                    )
                }
                | _problems(*reading, keys=bool(secured)),
            }
        },
        "/v1/score/stream": {
            "post": {
                "operationId": "scoreStream",
                "tags": ["scoring"],
                "summary": "Judge texts as they come",
                "description": (
                    "A JSON object a line, answered by a line each, in order, before the next is read: as many as you "
                    "like. A bad line is answered with its problem, which has the number of its `line`, and the stream "
                    f"goes on. A line must arrive within {settings.timeout:g} seconds."
                ),
                "security": secured,
                "requestBody": {
                    "required": True,
                    "content": {
                        "application/x-ndjson": {
                            "schema": {"type": "string", "description": "A Submission a line."},
                        },
                        "application/json": {"schema": {"anyOf": [_ref("Submission"), {}]}, "example": EXAMPLE},
                    },
                },
                "responses": {
                    "200": {
                        "description": "A Verdict or a Problem a line.",
                        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
                    }
                }
                | _problems("408", "415", keys=bool(secured)),
            }
        },
        "/v1/compare": {
            "post": {
                "operationId": "compare",
                "tags": ["comparing"],
                "summary": "Compare a suspect with its suspected source",
                "description": (
                    "Aligns the two by sentence and by word. Counts as two texts; each may have "
                    f"{settings.max_words:,} words, both together {settings.max_bytes:,} bytes."
                ),
                "security": secured,
                "requestBody": {"required": True, "content": {"application/json": {"schema": _ref("Pair")}}},
                "responses": {"200": _json("The comparison.", _ref("Comparison"), COMPARISON_EXAMPLE)}
                | _problems(*reading, keys=bool(secured)),
            }
        },
        **({} if settings.database_url is None else _feedback(secured)),
        "/v1/model": {
            "get": {
                "operationId": "model",
                "tags": ["operations"],
                "summary": "The model in use",
                "description": "Its name and hash, its thresholds, its measured accuracy, and its manifest.",
                "security": secured,
                "responses": {
                    "200": _json(
                        "About the model.",
                        {"type": "object", "required": ["model"], "properties": {"model": _ref("Model")}},
                    )
                }
                | _problems(keys=bool(secured)),
            }
        },
        "/healthz": _operation("healthz", "Does the worker live?", "It does."),
        "/readyz": _operation("readyz", "Are requests welcome?", "They are.", "503"),
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "tags": ["operations"],
                "summary": "Figures for Prometheus",
                "responses": {
                    "200": {
                        "description": "Of all workers together.",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    }
                },
            }
        },
        "/v1/openapi.json": _operation("openapi", "This description", "An OpenAPI document."),
    }


def _feedback(secured: list[dict[str, list[str]]]) -> dict[str, Any]:
    """Return the operations on people's labels."""
    about = {"tags": ["feedback"], "security": secured}
    id = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The label's.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    }
    keys = bool(secured)
    return {
        "/v1/feedback": {
            "post": {
                **about,
                "operationId": "addLabel",
                "summary": "Say what a text is",
                "description": (
                    "The text is judged, and the label stored with that verdict, with what each signal gave as "
                    "evidence, and with the text's hash; the text itself only if `keep_text` says so. Without "
                    "`consent` nothing is stored. The same sent again within a minute is one label, answered with 200."
                ),
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": _ref("LabelSubmission")}},
                },
                "responses": {
                    "200": _json("The label, which was there already.", _ref("Label"), LABEL_EXAMPLE),
                    "201": _json("The label as it is stored.", _ref("Label"), LABEL_EXAMPLE),
                }
                | _problems("400", "408", "413", "415", "422", "429", "503", keys=keys),
            }
        },
        "/v1/feedback/{id}": {
            "get": {
                **about,
                "operationId": "getLabel",
                "summary": "What is stored of a label",
                "parameters": [id],
                "responses": {"200": _json("The label.", _ref("Label"), LABEL_EXAMPLE)}
                | _problems("404", "429", "503", keys=keys),
            },
            "delete": {
                **about,
                "operationId": "deleteLabel",
                "summary": "Delete a label",
                "description": "With its text, if that was kept.",
                "parameters": [id],
                "responses": {"204": {"description": "It is deleted."}} | _problems("404", "429", "503", keys=keys),
            },
        },
    }


def _label_schemas() -> dict[str, Any]:
    from unspun.service.feedback.labels import Label
    from unspun.service.feedback.submission import LabelSubmission

    place = "#/components/schemas/{model}"
    asked = LabelSubmission.model_json_schema(ref_template=place)
    asked["properties"]["text"]["pattern"] = r"^[^\0]*[^\0\s][^\0]*$"
    example = {"text": EXAMPLE["text"], "label": "spun", "consent": True, "source": "example.org"}
    stored = Label.model_json_schema(mode="serialization", ref_template=place)
    parts = stored.pop("$defs")
    return {
        "LabelSubmission": {**asked, "examples": [example]},
        "Label": {**stored, "examples": [LABEL_EXAMPLE]},
        **parts,
    }


def _operation(name: str, summary: str, described: str, *statuses: str) -> dict[str, Any]:
    return {
        "get": {
            "operationId": name,
            "tags": ["operations"],
            "summary": summary,
            "responses": {"200": _json(described, {"type": "object"})} | _problems(*statuses, keys=False),
        }
    }


def _problems(*statuses: str, keys: bool) -> dict[str, Any]:
    """Return the responses of an operation that are problems."""
    named: dict[str, list[str]] = {}
    for code, title in TITLES.values():
        named.setdefault(str(code), []).append(title)
    asked = sorted({*statuses, "500"} | ({"401", "503"} if keys else set()))
    answer: dict[str, Any] = {}
    for status in asked:
        answer[status] = {
            "description": "; or: ".join(named[status]) + ".",
            "content": {MEDIA_TYPE: {"schema": _ref("Problem")}},
        }
        if status in ("429", "503"):
            answer[status]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            }
    return answer


def _schemas_of(record: type) -> dict[str, Any]:
    """Return the schema of a dataclass, and of each that its fields hold, by their names in this document."""
    schemas = {_name(record): _schema_of(record)}
    for hint in get_type_hints(record).values():
        inner, _ = without_none(hint)
        for one in (inner, *get_args(inner)):
            if is_dataclass(one) and isinstance(one, type):
                schemas |= _schemas_of(one)
    return schemas


def _schema_of(record: type) -> dict[str, Any]:
    hints, told = get_type_hints(record), DESCRIPTIONS.get(record, {})
    left_out = LEFT_OUT if record is Verdict else ()
    # What is left out is never null.
    types = {name: without_none(hint)[0] if name in left_out else hint for name, hint in hints.items()}
    properties = {field.name: _type(types[field.name]) | told.get(field.name, {}) for field in fields(record)}
    return {**_object(properties), "required": [name for name in properties if name not in left_out]}


def _type(hint: Any) -> dict[str, Any]:
    """Return the schema of a field's type."""
    inner, optional = without_none(hint)
    origin = get_origin(inner)
    if origin is Literal:
        return {"enum": [*get_args(inner), *([None] if optional else [])]}
    if origin is tuple:
        return {"type": "array", "items": _type(get_args(inner)[0])}
    if origin is dict:
        schema = _object(dict.fromkeys(KINDS, PART))
        return {**schema, "type": ["object", "null"]} if optional else schema
    if is_dataclass(inner) and isinstance(inner, type):
        return _ref(_name(inner))
    name = TYPES[inner]
    schema = {"type": [name, "null"] if optional else name}
    return {**schema, "minimum": 0} if inner is int else schema


def _name(record: type) -> str:
    return NAMES.get(record, record.__name__)


def _comparison() -> dict[str, Any]:
    part = {"type": "number", "minimum": 0, "maximum": 1}
    words = {"type": "integer", "minimum": 0, "description": "Words and numbers."}
    text = _object({"id": {"type": ["string", "null"], "description": "As submitted."}, "words": words})
    replacement = _object(
        {
            "source": _string("Words of the source, in lower case."),
            "suspect": _string("What stands in their place."),
            "count": {"type": "integer", "minimum": 1, "description": "How often."},
        }
    )
    comparison = _object(
        {
            "derived": {"type": "boolean", "description": "Whether one is said to be made from the other."},
            "probability": {**part, "description": "That it was, against two articles on the same event."},
            "kind": {"enum": [*RELATIONS, None], "description": "How; null where it was not."},
            "kinds": {**_object(dict.fromkeys(RELATIONS, part)), "description": "Given that it was; they sum to 1."},
            "share": {**part, "description": "Of the source's words, those that reappear, as themselves or replaced."},
            "reason": {"enum": ["too_short", "not_english", None], "description": "Why nothing can be said."},
            "substitutions": {"type": "array", "items": replacement, "description": "The most frequent first."},
            "suspect": text,
            "source": text,
            "model": _ref("Model"),
            "alignments": {
                "type": "array",
                "items": _ref("Alignment"),
                "description": "In the suspect's order; what is missing from it stands last.",
            },
        }
    )
    return {**comparison, "examples": [COMPARISON_EXAMPLE]}


def _alignment() -> dict[str, Any]:
    return _object(
        {
            "suspect": {**_span_or_null(), "description": "A passage; null where one of the source does not reappear."},
            "source": {**_span_or_null(), "description": "What it was made from; null where nothing corresponds."},
            "similarity": {"type": "number", "minimum": 0, "maximum": 1},
            "moved": {"type": "boolean", "description": "Whether it stands in another order than its neighbours."},
            "edits": {"type": "array", "items": _ref("Edit"), "description": "Runs of words, in the suspect's order."},
        }
    )


def _edit() -> dict[str, Any]:
    return _object(
        {
            "operation": {"enum": ["equal", "replaced", "inserted", "deleted"]},
            "suspect": {**_span_or_null(), "description": "Null where words were deleted."},
            "source": {**_span_or_null(), "description": "Null where words were inserted."},
        }
    )


def _span() -> dict[str, Any]:
    return _object(
        {
            "start": {"type": "integer", "minimum": 0, "description": "Offset in characters into the submitted text."},
            "end": {"type": "integer", "minimum": 0, "description": "Offset of what follows."},
        }
    )


def _span_or_null() -> dict[str, Any]:
    return {"anyOf": [_ref("Span"), {"type": "null"}]}


def _problem() -> dict[str, Any]:
    problem = _object(
        {
            "type": _string("`urn:unspun:problem:` and the problem's name."),
            "title": _string("The kind of problem."),
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": _string("What happened, and what to do."),
            "instance": _string("`urn:unspun:request:` and the request's id."),
            "errors": {
                "type": "array",
                "items": _object(
                    {"pointer": _string("JSON pointer to the field."), "detail": _string("What is wrong with it.")}
                ),
            },
            "limit": {"type": "number", "description": "The limit that was exceeded."},
            "retry_after": {"type": "integer", "minimum": 1, "description": "Seconds to wait."},
            "line": {"type": "integer", "minimum": 1, "description": "Line of a stream."},
        }
    )
    problem["required"] = ["type", "title", "status", "detail"]
    names = {"type": "urn:unspun:problem:too-many-words", "title": "The text is too long", "status": 413}
    detail = "A text may hold 50,000 words, this one has 61,204. Send its parts."
    return {**problem, "examples": [{**names, "detail": detail, "limit": 50_000}]}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "required": list(properties), "properties": properties}


def _string(description: str) -> dict[str, Any]:
    return {"type": "string", "description": description}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {"application/json": content}}


def _query(name: str, schema: dict[str, Any], description: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}
