"""The description of the HTTP API, as an OpenAPI 3.1 document.

The schemas come from the models that check requests and from the dataclasses that make responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from unspun.model.comparing.comparison import Comparison
from unspun.model.fields import example_of
from unspun.model.verdict import ModelInfo, Verdict
from unspun.service.answers import AnswerSchemas
from unspun.service.feedback.labels import Label
from unspun.service.http.config import Settings
from unspun.service.http.examples import FILE, LABEL_SUBMISSION, PAIR, SUBMISSION, TEXT, URL_SUBMISSION, answers
from unspun.service.http.problems import MEDIA_TYPE, TITLES, ProblemDocument
from unspun.service.http.schemas import ALL, FALSE, TRUE, PairSubmission, Submission, UrlSubmission
from unspun.service.http.submission import LabelSubmission

FEEDBACK = "People's labels of texts. Nothing is stored without consent."
FETCHES = " With `url` instead of `text`, the service fetches a public web page and judges its article."
FIELDS = {
    "text_field": {
        "type": "string",
        "description": "The field or column of the text: a name, the number of a column, or a path (`article.body`).",
    },
    "id_field": {"type": "string", "description": "The field or column of the id."},
}
READING = ("400", "408", "413", "415", "422", "429", "503")
"""Statuses of the problems that any request with a body may cause."""


def document(settings: Settings, verdict: type = Verdict) -> dict[str, Any]:
    """Return the document, with the limits of these settings; `verdict` is the Verdict, or a class derived from it."""
    labels = settings.database_url is not None
    schemas = _components(verdict, labels=labels, addresses=settings.fetch_urls)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "unspun",
            "version": version("unspun"),
            "summary": "Finds machine-paraphrased text and shows the words that give it away.",
            "description": (
                "Every path that judges text returns the same object for the same text: the Verdict. Errors are "
                "problem documents (RFC 9457). The response repeats the `X-Request-ID` of the request. "
                + (
                    "Submitted text is not logged, and is stored only if a request to `/v1/feedback` asks for it."
                    if labels
                    else "Submitted text is neither stored nor logged."
                )
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [
            {"name": "scoring", "description": "Submit texts and get verdicts."},
            {"name": "comparing", "description": "Submit a suspect and its suspected source, and see what they share."},
            *([{"name": "feedback", "description": FEEDBACK}] if labels else []),
            {"name": "operations", "description": "The service and its model."},
        ],
        "paths": _paths(settings, verdict, schemas["Submission"]["properties"]),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "description": "A key from `unspun keys add`."},
                "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            },
        },
    }


@cache
def _components(verdict: type, *, labels: bool, addresses: bool) -> dict[str, Any]:
    """Return the schemas of everything that is received and sent, by name. Pydantic takes long to make them."""
    wanted: list[tuple[type, JsonSchemaMode, Any]] = [
        (Submission, "validation", SUBMISSION),
        (verdict, "serialization", _example(verdict)),
        (PairSubmission, "validation", PAIR),
        (Comparison, "serialization", answers()["comparison"]),
        (ProblemDocument, "serialization", example_of(ProblemDocument)),
    ]
    if addresses:
        wanted.insert(1, (UrlSubmission, "validation", URL_SUBMISSION))
    if labels:
        wanted += [(LabelSubmission, "validation", LABEL_SUBMISSION), (Label, "serialization", answers()["label"])]
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (kind.__name__, mode, TypeAdapter(kind)) for kind, mode, _ in wanted
    ]
    _, made = TypeAdapter.json_schemas(
        adapters, ref_template="#/components/schemas/{model}", schema_generator=AnswerSchemas
    )
    schemas: dict[str, Any] = made["$defs"]
    for kind, _, example in wanted:
        schemas[kind.__name__]["examples"] = [example]
    if labels:
        # Pydantic cannot express both the pattern of the field and the ban on NUL characters.
        schemas["LabelSubmission"]["properties"]["text"]["pattern"] = r"^[^\x00]*[^\x00\s][^\x00]*$"
    return schemas


def _paths(settings: Settings, verdict: type, asked: dict[str, Any]) -> dict[str, Any]:
    security: list[dict[str, list[str]]] = [{"bearer": []}, {"header": []}] if settings.keys_file else []
    # Without a schema: any bytes may be a text in some encoding.
    plain = {"example": TEXT}
    return {
        "/v1/score": {
            "post": _operation(
                "score",
                "scoring",
                "Judge one text",
                {"200": _json("The verdict.", _ref(verdict), _example(verdict))},
                (*READING, "403", "502") if settings.fetch_urls else READING,
                security,
                description=(
                    "Send a JSON object, plain text, Markdown, or a web page, which is reduced to its article: at most "
                    f"{settings.max_bytes:,} bytes (uncompressed) and {settings.max_words:,} words. The body may be "
                    "gzipped. The fields of a JSON object override the parameters."
                    + (FETCHES if settings.fetch_urls else "")
                ),
                parameters=[_parameter(name, schema) for name, schema in asked.items() if name != "text"],
                requestBody=_body(
                    {
                        "application/json": {"schema": _ref(Submission)}
                        if not settings.fetch_urls
                        else {"schema": {"anyOf": [_ref(Submission), _ref(UrlSubmission)]}, "example": SUBMISSION},
                        **dict.fromkeys(("text/plain", "text/markdown", "text/html"), plain),
                    }
                ),
            )
        },
        "/v1/score/batch": {
            "post": _operation(
                "scoreBatch",
                "scoring",
                "Judge a list of texts",
                {
                    "200": _json(
                        "Verdicts and problems.",
                        {"type": "array", "items": {"anyOf": [_ref(verdict), _ref(ProblemDocument)]}},
                        [_example(verdict)],
                    )
                },
                READING,
                security,
                description=(
                    f"At most {settings.max_items:,} texts. The response has the same number of items in the same "
                    "order: each is a verdict, or the problem of that text, which has a `status`."
                ),
                # An item may be anything: if it is not a submission, a problem takes its place.
                requestBody=_body(
                    {
                        "application/json": {
                            "schema": {"type": "array", "items": {"anyOf": [_ref(Submission), {}]}},
                            "example": [SUBMISSION],
                        }
                    }
                ),
            )
        },
        "/v1/score/stream": {
            "post": _operation(
                "scoreStream",
                "scoring",
                "Judge texts as they arrive",
                {
                    "200": {
                        "description": "One Verdict or Problem per line.",
                        "content": {"application/x-ndjson": {"schema": {"type": "string"}}},
                    }
                },
                ("408", "415"),
                security,
                description=(
                    "Send any number of lines, one JSON object each. Each line is answered with one line, in order, "
                    "before the next is read. An invalid line is answered with its problem, which has the number of "
                    f"the `line`, and the stream continues. Each line must arrive within {settings.timeout:g} seconds."
                ),
                parameters=[_parameter(name, schema) for name, schema in FIELDS.items()],
                requestBody=_body(
                    {
                        "application/x-ndjson": {
                            "schema": {"type": "string", "description": "One Submission per line."}
                        },
                        "application/json": {"schema": {"anyOf": [_ref(Submission), {}]}, "example": SUBMISSION},
                    }
                ),
            )
        },
        "/v1/score/upload": {
            "post": _operation(
                "scoreUpload",
                "scoring",
                "Judge the documents in files",
                {
                    "200": _json(
                        "Verdicts and problems.",
                        {"type": "array", "items": {"anyOf": [_ref(verdict), _ref(ProblemDocument)]}},
                        [_example(verdict) | {"id": FILE}],
                    )
                },
                READING,
                security,
                description=(
                    "Send one or more files in any format that `unspun score` reads, recognised by their names. The "
                    "response lists a verdict for each document, in order, with the name of its file, or its own id, "
                    "as `id`; a file or a record that cannot be read is a problem with `file` and `line`. At most "
                    f"{settings.max_items:,} documents and {settings.max_bytes:,} bytes. In the example, `{FILE}` "
                    "holds the text of the first example."
                ),
                requestBody=_body({"multipart/form-data": {"schema": _form(asked)}}),
            )
        },
        "/v1/compare": {
            "post": _operation(
                "compare",
                "comparing",
                "Compare a suspect with its suspected source",
                {"200": _json("The comparison.", _ref(Comparison), answers()["comparison"])},
                READING,
                security,
                description=(
                    "Aligns the two texts by sentence and by word. Counts as two texts. Each may have "
                    f"{settings.max_words:,} words; both together may have {settings.max_bytes:,} bytes."
                ),
                requestBody=_body({"application/json": {"schema": _ref(PairSubmission)}}),
            )
        },
        **({} if settings.database_url is None else _feedback(security)),
        "/v1/model": {
            "get": _operation(
                "model",
                "operations",
                "The model in use",
                {
                    "200": _json(
                        "The model.",
                        {"type": "object", "required": ["model"], "properties": {"model": _ref(ModelInfo)}},
                    )
                },
                (),
                security,
                description="Its name and hash, its thresholds, its measured accuracy and its manifest.",
            )
        },
        "/healthz": _probe("healthz", "Whether the worker is alive", "It is alive."),
        "/readyz": _probe("readyz", "Whether the service accepts requests", "It accepts requests.", "503"),
        "/metrics": {
            "get": {
                "operationId": "metrics",
                "tags": ["operations"],
                "summary": "Metrics for Prometheus",
                "responses": {
                    "200": {
                        "description": "The metrics of all workers together.",
                        "content": {"text/plain": {"schema": {"type": "string"}}},
                    }
                },
            }
        },
        "/v1/openapi.json": _probe("openapi", "This description", "An OpenAPI document."),
    }


def _feedback(security: list[dict[str, list[str]]]) -> dict[str, Any]:
    id = {
        "name": "id",
        "in": "path",
        "required": True,
        "description": "The id of the label.",
        "schema": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
    }
    return {
        "/v1/feedback": {
            "post": _operation(
                "addLabel",
                "feedback",
                "Label a text",
                {
                    "200": _json("The label, which was already stored.", _ref(Label), answers()["label"]),
                    "201": _json("The new label.", _ref(Label), answers()["label"]),
                },
                READING,
                security,
                description=(
                    "Judges the text and stores the label with the verdict, the sum of each signal's evidence, and the "
                    "text's hash. The text itself is stored only if `keep_text` is true, and nothing is "
                    "stored without `consent`. The same request within a minute returns the same label with status 200."
                ),
                requestBody=_body({"application/json": {"schema": _ref(LabelSubmission)}}),
            )
        },
        "/v1/feedback/{id}": {
            "get": _operation(
                "getLabel",
                "feedback",
                "Get a label",
                {"200": _json("The label.", _ref(Label), answers()["label"])},
                ("404", "429", "503"),
                security,
                parameters=[id],
            ),
            "delete": _operation(
                "deleteLabel",
                "feedback",
                "Delete a label",
                {"204": {"description": "The label was deleted."}},
                ("404", "429", "503"),
                security,
                description="Also deletes its text, if that was stored.",
                parameters=[id],
            ),
        },
    }


def _operation(
    name: str,
    tag: str,
    summary: str,
    responses: dict[str, Any],
    problems: Sequence[str],
    security: list[dict[str, list[str]]],
    **more: Any,
) -> dict[str, Any]:
    """Return an operation that needs a key if there is any `security`; `problems` are the statuses it may fail with."""
    return {
        "operationId": name,
        "tags": [tag],
        "summary": summary,
        "security": security,
        **more,
        "responses": responses | _problems(*problems, keys=bool(security)),
    }


def _probe(name: str, summary: str, description: str, *statuses: str) -> dict[str, Any]:
    """Return a path that anybody may GET."""
    responses = {"200": _json(description, {"type": "object"})} | _problems(*statuses, keys=False)
    return {"get": {"operationId": name, "tags": ["operations"], "summary": summary, "responses": responses}}


def _problems(*statuses: str, keys: bool) -> dict[str, Any]:
    """Return the responses of an operation that are problems."""
    titles: dict[str, list[str]] = {}
    for code, title in TITLES.values():
        titles.setdefault(str(code), []).append(title)
    answer: dict[str, Any] = {}
    for status in sorted({*statuses, "500"} | ({"401", "503"} if keys else set())):
        answer[status] = {
            "description": "; or: ".join(titles[status]) + ".",
            "content": {MEDIA_TYPE: {"schema": _ref(ProblemDocument)}},
        }
        if status in ("429", "503"):
            answer[status]["headers"] = {
                "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer", "minimum": 1}}
            }
    return answer


def _example(verdict: type) -> dict[str, Any]:
    """Return the verdict on the example; if `verdict` is a class derived from the Verdict, with its further fields."""
    usual: dict[str, Any] = answers()["verdict"]
    known = example_of(Verdict)
    return usual | {name: value for name, value in example_of(verdict).items() if name not in known}


def _ref(kind: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def _json(description: str, schema: dict[str, Any], example: Any = None) -> dict[str, Any]:
    content: dict[str, Any] = {"schema": schema}
    if example is not None:
        content["example"] = example
    return {"description": description, "content": {"application/json": content}}


def _body(content: dict[str, Any]) -> dict[str, Any]:
    return {"required": True, "content": content}


def _form(asked: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an upload, given the fields of a Submission."""
    options = {name: asked[name] for name in ("evidence", "depth", "base_rate")}
    options["base_rate"] = _parameter("base_rate", options["base_rate"])["schema"]
    # A form has only strings.
    words = {"type": "string", "enum": [*TRUE, *FALSE, ALL], "default": TRUE[0]}
    options["evidence"] = {**words, "description": options["evidence"]["description"]}
    file = {"type": "string", "contentMediaType": "application/octet-stream"}
    files = {"type": "array", "items": file, "minItems": 1, "description": "Files, each a part called `file`."}
    return {"type": "object", "required": ["file"], "properties": {"file": files, **FIELDS, **options}}


def _parameter(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Return the query parameter for a field of a Submission, which cannot be null, because a query holds no null."""
    schema = {key: value for key, value in asked.items() if key not in ("anyOf", "description")}
    kinds = [kind for kind in asked.get("anyOf", ()) if kind != {"type": "null"}]
    if len(kinds) == 1:
        schema = dict(kinds[0])
    elif kinds:
        schema["anyOf"] = kinds
    if schema.get("default", "") is None:
        del schema["default"]
    return {
        "name": name,
        "in": "query",
        "required": False,
        "schema": schema,
        "description": asked["description"],
    }
