"""The documents made from the contracts: a JSON Schema for every event, and one AsyncAPI 3.0 document.

Both are committed under `schemas/generated`, so that a change of contract shows in review.
"""

from collections.abc import Callable, Iterable, Mapping
from inspect import cleandoc
from pathlib import Path
from typing import Any, Final

import msgspec
from msgspec import Struct

from schemas.events import CONTRACT_VERSION, Click, Label, Order
from schemas.headers import CloudEventHeaders, DeadLetterHeaders
from schemas.topics import TOPICS, TopicContract

Document = dict[str, Any]

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
SCHEMA_NAMES: Final[Mapping[str, type[Struct]]] = {
    **{topic.name: topic.struct for topic in TOPICS if topic.struct is not None},
    "dead-letter-headers": DeadLetterHeaders,
    "cloudevents-headers": CloudEventHeaders,
}
"""What each schema file describes, by the file's name: the values of a topic, or headers."""

_ONE_OF_REQUIRED: Final[Mapping[type[Struct], tuple[str, ...]]] = {
    Click: ("user_id", "anonymous_id"),
    Order: ("user_id", "anonymous_id"),
    Label: ("order_id", "user_id", "anonymous_id"),
}
# The topic settings that the Kafka channel binding knows, in its types.
_BINDING_VERSION: Final = "0.5.0"
_BOUND_SETTINGS: Final[Mapping[str, Callable[[str], object]]] = {
    "cleanup.policy": lambda value: value.split(","),
    "retention.ms": int,
    "max.message.bytes": int,
}


def json_schemas() -> dict[str, Document]:
    """Return the JSON Schema (2020-12) of every event and header set, by name (`SCHEMA_NAMES`)."""
    return {name: _json_schema(name, struct) for name, struct in SCHEMA_NAMES.items()}


def _json_schema(name: str, struct: type[Struct]) -> Document:
    definitions = _definitions([struct], "#/$defs/{name}")
    body = definitions.pop(struct.__name__)
    identity = {"$schema": DIALECT, "$id": f"urn:sluice:schema:{name}:{CONTRACT_VERSION}"}
    return identity | body | ({"$defs": definitions} if definitions else {})


def _definitions(structs: Iterable[type[Struct]], ref_template: str) -> dict[str, Document]:
    """Return the schemas of `structs` and of what they contain, by struct name."""
    wanted = list(structs)
    _, definitions = msgspec.json.schema_components(wanted, ref_template=ref_template)
    for definition in definitions.values():
        definition["description"] = cleandoc(definition["description"])
    for struct in wanted:
        if struct in _ONE_OF_REQUIRED:
            # A null counts as absent, so presence alone is not enough.
            definitions[struct.__name__]["anyOf"] = [
                {"required": [name], "properties": {name: {"type": "string"}}} for name in _ONE_OF_REQUIRED[struct]
            ]
    return definitions


def asyncapi() -> Document:
    """Return the AsyncAPI 3.0 document: channels, operations and messages as the worker sees them."""
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Sluice",
            "version": CONTRACT_VERSION,
            "description": "Clicks, orders and labels in; intent, risk, decisions, alerts and sessions out.",
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS},
        "operations": {_operation_name(topic): _operation(topic) for topic in TOPICS},
        "components": {
            "messages": {topic.name: _message(topic) for topic in TOPICS},
            "schemas": _definitions(SCHEMA_NAMES.values(), "#/components/schemas/{name}"),
        },
    }


def _channel(topic: TopicContract) -> Document:
    configuration = {name: read(topic.config[name]) for name, read in _BOUND_SETTINGS.items() if name in topic.config}
    binding = {"topic": topic.name, "topicConfiguration": configuration, "bindingVersion": _BINDING_VERSION}
    return {
        "address": topic.name,
        "description": topic.description,
        "messages": {topic.name: {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {"kafka": binding},
    }


def _operation_name(topic: TopicContract) -> str:
    return f"{'receive' if topic.direction == 'in' else 'send'}-{topic.name}"


def _operation(topic: TopicContract) -> Document:
    return {
        "action": "receive" if topic.direction == "in" else "send",
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/{topic.name}"}],
    }


def _message(topic: TopicContract) -> Document:
    key = {"type": "string", "description": topic.key}
    message: Document = {
        "name": topic.name,
        "summary": topic.description,
        "bindings": {"kafka": {"key": key, "bindingVersion": _BINDING_VERSION}},
    }
    if topic.struct is not None:
        message["payload"] = {"$ref": f"#/components/schemas/{topic.struct.__name__}"}
    else:
        message["contentType"] = "application/octet-stream"
    if topic.ce_type:
        message["headers"] = _headers(topic, topic.ce_type)
    return message


def _headers(topic: TopicContract, ce_type: str) -> Document:
    """Return the headers of an output: CloudEvents in binary mode, and the diagnosis on a dead letter."""
    structs = [CloudEventHeaders] if topic.struct is not None else [CloudEventHeaders, DeadLetterHeaders]
    parts: list[Document] = [{"$ref": f"#/components/schemas/{struct.__name__}"} for struct in structs]
    return {"type": "object", "allOf": [*parts, {"properties": {"ce_type": {"const": ce_type}}}]}


def documents() -> dict[str, Document]:
    """Return every document by its file name."""
    files = {f"{name}.schema.json": schema for name, schema in json_schemas().items()}
    return files | {"asyncapi.json": asyncapi()}


def export(directory: Path) -> list[Path]:
    """Write every document into `directory`, made if need be, and return the files written."""
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name, document in documents().items():
        path = directory / name
        path.write_bytes(msgspec.json.format(msgspec.json.encode(document), indent=2) + b"\n")
        written.append(path)
    return written
