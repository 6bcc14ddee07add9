"""The contracts for everyone who is not Python: JSON Schema and AsyncAPI 3."""

from __future__ import annotations

from typing import Any

import msgspec

from emily_contracts.envelope import SCHEMA_VERSION
from emily_contracts.stimulus import StimulusDraft
from emily_contracts.topic import AnyQuery, AnyTopic, Topic
from emily_contracts.topics import QUERIES, TOPICS

_REFERENCE = "#/components/schemas/{name}"
_NAMESPACE = "emily"
_ATTACHMENT = {
    "type": "object",
    "description": "Travels in the Zenoh attachment",
    "properties": {
        "schema_version": {"type": "integer", "const": SCHEMA_VERSION},
        "traceparent": {"type": "string", "description": "W3C trace context"},
    },
    "required": ["schema_version"],
}


def json_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of every message, request and reply under `$defs`."""
    _, definitions = msgspec.json.schema_components(_types(), ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"Emily contracts {SCHEMA_VERSION}",
        "$defs": dict(sorted(definitions.items())),
    }


def asyncapi() -> dict[str, Any]:
    """An AsyncAPI 3.0 document: a channel and its operations for every topic and query."""
    _, schemas = msgspec.json.schema_components(_types(), ref_template=_REFERENCE)
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for name, topic in TOPICS.items():
        messages[topic.type.__name__] = _message(topic.type)
        channels[name] = _channel(topic, [topic.type])
        operations[f"publish_{name}"] = _operation("send", name, topic.doc, topic.type)
        operations[f"subscribe_{name}"] = _operation("receive", name, topic.doc, topic.type)
    for name, query in QUERIES.items():
        for payload in (query.request, query.reply):
            messages[payload.__name__] = _message(payload)
        channels[name] = _channel(query, [query.request, query.reply])
        operations[f"ask_{name}"] = {
            **_operation("send", name, query.doc, query.request),
            "reply": {
                "channel": {"$ref": f"#/channels/{name}"},
                "messages": [{"$ref": f"#/channels/{name}/messages/{query.reply.__name__}"}],
            },
        }
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Emily", "version": f"{SCHEMA_VERSION}.0.0", "license": {"name": "Apache-2.0"}},
        "defaultContentType": "application/msgpack",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": dict(sorted(schemas.items()))},
    }


def _types() -> list[type[msgspec.Struct]]:
    types: dict[str, type[msgspec.Struct]] = {StimulusDraft.__name__: StimulusDraft}
    for topic in TOPICS.values():
        types[topic.type.__name__] = topic.type
    for query in QUERIES.values():
        types[query.request.__name__] = query.request
        types[query.reply.__name__] = query.reply
    return [types[name] for name in sorted(types)]


def _message(payload: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "name": payload.__name__,
        "headers": _ATTACHMENT,
        "payload": {"$ref": _REFERENCE.format(name=payload.__name__)},
    }


def _channel(key: AnyTopic | AnyQuery, payloads: list[type[msgspec.Struct]]) -> dict[str, Any]:
    channel: dict[str, Any] = {
        "address": f"{_NAMESPACE}/{{space}}/{key.template}"
        if not _in_root(key)
        else f"{_NAMESPACE}/{key.template}",
        "description": key.doc,
        "messages": {
            payload.__name__: {"$ref": f"#/components/messages/{payload.__name__}"} for payload in payloads
        },
    }
    parameters = {field: {"description": f"`{field}` of the message"} for field in key.fields}
    if not _in_root(key):
        parameters["space"] = {"description": "The colour, such as blue"}
    if parameters:
        channel["parameters"] = parameters
    if isinstance(key, Topic):
        channel["x-qos"] = msgspec.to_builtins(key.qos)
    return channel


def _in_root(key: AnyTopic | AnyQuery) -> bool:
    return key.template.startswith(("in/", "out/", "control/"))


def _operation(action: str, channel: str, doc: str, payload: type[msgspec.Struct]) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": doc,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{payload.__name__}"}],
    }
