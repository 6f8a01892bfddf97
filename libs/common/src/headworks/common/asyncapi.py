"""The bus as an AsyncAPI 3.0 document: every subject with its message, who sends and who receives, and its stream.

It is generated from the registry (`subjects.py`) and the pydantic messages; `documents.py` writes it to docs/asyncapi.json.
AsyncAPI's NATS binding knows nothing of JetStream, so streams stand under `x-streams` and each channel names its own.
"""

import re
from collections.abc import Collection, Iterable
from typing import Any

from pydantic.json_schema import models_json_schema

from headworks.common.messages import Message
from headworks.common.permissions import VENDOR
from headworks.common.subjects import (
    DEAD_LETTERS_STREAM,
    PLAN_REPLY,
    PLAN_SUBMISSION,
    SERVICES,
    SUBJECTS,
    Stream,
    Subject,
    stream_subjects,
)

Json = dict[str, Any]
REPLIES = {PLAN_SUBMISSION.pattern: PLAN_REPLY}
"""Subjects whose messages are answered, and where."""
PARAMETERS = {
    "site": "a site's name, as in its site file",
    "source": "the source of ingest that measured",
    "series": "a series' name; it ends in its unit",
    "product": "a market product",
    "run_id": "a run's id",
    "publisher": "the publisher's own name; the server lets it use no other",
    "resource": "an actuator's name, as in the site file",
    "alarm": "an alarm's name, as in the site file",
    "gateway": "a control gateway's own name",
}


PARTIES = (*SERVICES, VENDOR)


def asyncapi_document(subjects: Iterable[Subject[Message]] = SUBJECTS, parties: Collection[str] = PARTIES) -> Json:
    """The document of these subjects as these parties use them. Raises KeyError for a parameter without a description."""
    known = tuple(subjects)
    streams = {subject.stream for subject in known} | ({DEAD_LETTERS_STREAM} if known == SUBJECTS else set())
    return {
        "asyncapi": "3.0.0",
        "info": _info(parties),
        "defaultContentType": "application/json",
        "servers": {"bus": _server()},
        "channels": {channel_id(subject): _channel(subject) for subject in known},
        "operations": dict(operation for subject in known for operation in _operations(subject, parties)),
        "components": {
            "messages": {subject.message.__name__: _message(subject.message) for subject in known},
            "schemas": {"MessageHeaders": _headers()} | _schemas({subject.message for subject in known}),
            "securitySchemes": {"nkey": _nkey()},
        },
        "x-streams": {
            stream.name: _stream(stream, kept) for stream, kept in stream_subjects().items() if stream in streams
        },
    }


def vendor_document() -> Json:
    """What a publisher of plans from outside needs of it, and no more."""
    own = [subject for subject in SUBJECTS if VENDOR in (*subject.publishers, *subject.hearers)]
    return asyncapi_document(own, [VENDOR])


def channel_id(subject: Subject[Message]) -> str:
    """A name for the channel: the pattern without its parameters, `plans_submit`."""
    return "_".join(part for part in subject.pattern.split(".") if not part.startswith("{"))


def _info(parties: Collection[str]) -> Json:
    return {
        "title": "Headworks bus",
        "version": "1",
        "description": (
            "Delivery is at least once: handle a message by its Nats-Msg-Id only once. Instants are UTC, values SI and MW. "
            "Messages change by adding only; a receiver refuses unknown keys, NaN and naive instants."
        ),
        "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        "tags": [{"name": name} for name in parties],
    }


def _server() -> Json:
    return {
        "host": "{host}:{port}",
        "protocol": "nats",
        "description": "NATS with JetStream; each client has an NKEY, and may use the subjects of its operations only",
        "variables": {"host": {"default": "127.0.0.1"}, "port": {"default": "4222"}},
        "security": [{"$ref": "#/components/securitySchemes/nkey"}],
    }


def _nkey() -> Json:
    return {
        "type": "asymmetricEncryption",
        "description": "NKEY (Ed25519): the client signs the server's nonce with its seed; the server knows its public key",
    }


def _channel(subject: Subject[Message]) -> Json:
    name = subject.message.__name__
    return {
        "address": subject.pattern,
        "description": subject.description,
        "servers": [{"$ref": "#/servers/bus"}],
        "parameters": {parameter: {"description": PARAMETERS[parameter]} for parameter in subject.parameters},
        "messages": {name: {"$ref": f"#/components/messages/{name}"}},
        "x-stream": subject.stream.name if subject.stream else None,
    }


def _operations(subject: Subject[Message], parties: Collection[str]) -> Iterable[tuple[str, Json]]:
    """Each party's sending or receiving of a subject, by an id such as `ingest_sends_telemetry`."""
    for party in (name for name in subject.publishers if name in parties):
        yield f"{party}_sends_{channel_id(subject)}", _operation("send", party, subject) | _reply(subject)
    for party in (name for name in subject.hearers if name in parties):
        yield f"{party}_receives_{channel_id(subject)}", _operation("receive", party, subject)


def _operation(action: str, party: str, subject: Subject[Message]) -> Json:
    return {
        "action": action,
        "summary": f"{party.replace('_', ' ')} {action}s {subject.description}",
        "tags": [{"name": party}],
        **_on_channel(subject),
    }


def _reply(subject: Subject[Message]) -> Json:
    answered = REPLIES.get(subject.pattern)
    return {"reply": _on_channel(answered)} if answered else {}


def _on_channel(subject: Subject[Any]) -> Json:
    channel = f"#/channels/{channel_id(subject)}"
    return {"channel": {"$ref": channel}, "messages": [{"$ref": f"{channel}/messages/{subject.message.__name__}"}]}


def _message(message: type[Message]) -> Json:
    return {
        "name": message.__name__,
        "title": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", message.__name__).lower(),
        "summary": " ".join((message.__doc__ or "").split()),
        "contentType": "application/json",
        "headers": {"$ref": "#/components/schemas/MessageHeaders"},
        "payload": {"$ref": f"#/components/schemas/{message.__name__}"},
    }


def _headers() -> Json:
    return {
        "type": "object",
        "properties": {
            "Nats-Msg-Id": {
                "type": "string",
                "description": "the message's id; sent twice, it is stored once. A vendor sets none",
            },
            "traceparent": {"type": "string", "description": "W3C trace context"},
        },
    }


def _schemas(messages: Iterable[type[Message]]) -> Json:
    ordered = sorted(messages, key=lambda message: message.__name__)
    _, found = models_json_schema(
        [(message, "validation") for message in ordered], ref_template="#/components/schemas/{model}"
    )
    return {name: _plain_discriminators(schema) for name, schema in found["$defs"].items()}


def _plain_discriminators(schema: Any) -> Any:
    """The schema with OpenAPI's discriminator objects as AsyncAPI has them: the property's name alone."""
    if isinstance(schema, list):
        return [_plain_discriminators(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    changed = {key: _plain_discriminators(part) for key, part in schema.items()}
    match changed.get("discriminator"):
        case {"propertyName": str() as name}:
            changed["discriminator"] = name
    return changed


def _stream(stream: Stream, subjects: list[str]) -> Json:
    return {
        "description": stream.description,
        "subjects": subjects,
        "retention": stream.retention.value,
        "max_age_s": stream.max_age.total_seconds(),
        "max_bytes": stream.max_bytes,
        "max_message_bytes": stream.max_message_bytes if stream.max_message_bytes > 0 else None,
        "max_per_subject": stream.max_per_subject if stream.max_per_subject > 0 else None,
        "when_full": "refuses what comes" if stream.refuses_when_full else "lets the oldest go",
        "duplicate_window_s": stream.duplicate_window.total_seconds(),
        "holds": "dead letters" if stream is DEAD_LETTERS_STREAM else "messages of the channels that name it",
    }
