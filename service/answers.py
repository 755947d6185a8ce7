"""JSON schemas of verdicts and comparisons, for the OpenAPI document and the tools of assistants."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from unspun.model.fields import Described, JsonRecord, described


class AnswerSchemas(GenerateJsonSchema):
    """Pydantic's schemas, with what a JsonRecord says about its fields."""

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """Return the schema of a dataclass as it is sent: every field is present unless it was not requested."""
        answer = super().dataclass_schema(schema)
        if issubclass(schema["cls"], JsonRecord):
            fields = described(schema["cls"])
            answer["properties"] = {one.name: _sent(answer["properties"][one.name], one) for one in fields}
            answer["required"] = [one.name for one in fields if one.left_out_with is None]
        return answer

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Return False: the name of a field is title enough."""
        return False


def schema_of(record: type[JsonRecord]) -> dict[str, Any]:
    """Return the JSON schema of an answer."""
    return TypeAdapter(record).json_schema(mode="serialization", schema_generator=AnswerSchemas)


def _sent(schema: JsonSchemaValue, one: Described) -> JsonSchemaValue:
    """Return the schema of a field, never null if it is left out instead, and with the keys of a dictionary."""
    plain, null = schema.copy(), {"type": "null"}
    plain.pop("default", None)
    if one.keys:
        share = {"type": "number", "minimum": 0, "maximum": 1}
        keyed = {"type": "object", "properties": dict.fromkeys(one.keys, share), "required": list(one.keys)}
        return {**({"anyOf": [keyed, null]} if one.optional else keyed), "description": one.description}
    if one.left_out_with is not None and one.optional:
        [inner] = [kind for kind in plain.pop("anyOf") if kind != null]
        return {**inner, **plain}
    return plain
