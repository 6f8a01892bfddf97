"""Who may do what on the bus, from the registry: NKEYs, and nats-server's authorization; all else is refused by the server.

A vendor may publish on its own submit subject and hear its own replies, live, as a plain subscription: it has no access to
JetStream, and asks again with the same submission id for an answer it missed. A service may send and hear what the registry
says. The server compares subjects by whole tokens: a service can create no consumer on a subject that is not its own, but one
that hears a subject of a stream could pull on another service's consumer there if it knew its name. For services that is
accepted; it is why vendors get no such access.
"""

import json
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import nkeys
import typer

from headworks.common.messages import Message
from headworks.common.subjects import (
    DEAD_LETTER_PREFIX,
    DEAD_LETTERS_STREAM,
    PLAN_SUBMISSION,
    SERVICES,
    SUBJECTS,
    Retention,
    Subject,
    stream_subjects,
)

VENDOR, MIGRATE, OPERATIONS = "vendor", "migrate", "operations"
"""Besides the services: a publisher of plans, what declares the streams, and the person who replays dead letters."""
API = "$JS.API"


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects that a client may publish and subscribe."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]


def permissions_of_service(service: str) -> Permissions:
    """What the registry gives a service: its subjects, consumers on what it hears, their dead letters, its own inbox."""
    publish = [_own(subject, service) for subject in SUBJECTS if service in subject.publishers]
    subscribe = [_inbox(service)]
    for subject in SUBJECTS:
        if service in subject.hearers:
            heard = _own(subject, service)
            if subject.stream is None:
                subscribe.append(heard)
            else:
                publish += [*_consuming(subject.stream.name, heard), f"{DEAD_LETTER_PREFIX}.{heard}"]
    return _permissions(publish, subscribe)


def permissions_of_vendor(vendor: str) -> Permissions:
    """A vendor's own submit and reply subjects. Raises ValueError for a name that is not a vendor's."""
    taken = {*SERVICES, MIGRATE, OPERATIONS}
    if vendor in taken or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}", vendor):
        raise ValueError(f"vendor={vendor!r} must be letters, digits, - and _, and none of {sorted(taken)}")
    publish = [subject.filter(publisher=vendor) for subject in SUBJECTS if VENDOR in subject.publishers]
    subscribe = [subject.filter(publisher=vendor) for subject in SUBJECTS if VENDOR in subject.hearers]
    return _permissions(publish, [_inbox(vendor), *subscribe])


def permissions_of_migrate() -> Permissions:
    """Declaring the streams, and nothing else."""
    streams = [stream.name for stream in stream_subjects()]
    return _permissions([f"{API}.STREAM.{act}.{s}" for s in streams for act in ("CREATE", "UPDATE")], [_inbox(MIGRATE)])


def permissions_of_operations() -> Permissions:
    """Reading and removing dead letters and the messages they name, and publishing them again."""
    dead = DEAD_LETTERS_STREAM.name
    publish = [
        *(subject.wildcard for subject in SUBJECTS),
        f"{API}.STREAM.INFO.{dead}",
        f"{API}.STREAM.MSG.DELETE.{dead}",
        *(f"{API}.STREAM.MSG.DELETE.{s.name}" for s in stream_subjects() if s.retention is Retention.WORK_QUEUE),
        *(f"{API}.STREAM.MSG.GET.{stream.name}" for stream in stream_subjects()),
    ]
    return _permissions(publish, [_inbox(OPERATIONS)])


def all_permissions(vendors: Iterable[str]) -> dict[str, Permissions]:
    """Every client of a deployment by its name."""
    return {
        **{service: permissions_of_service(service) for service in SERVICES},
        MIGRATE: permissions_of_migrate(),
        OPERATIONS: permissions_of_operations(),
        **{vendor: permissions_of_vendor(vendor) for vendor in sorted(vendors)},
    }


def authorization(public_keys: Mapping[str, str], vendors: Iterable[str]) -> str:
    """nats-server's authorization block. Raises KeyError for a client without a public key."""
    users = [_user(name, public_keys[name], allowed) for name, allowed in all_permissions(vendors).items()]
    return "\n".join(["authorization {", "  timeout: 2", "  users: [", *users, "  ]", "}", ""])


def write_seeds(folder: Path, clients: Iterable[str]) -> dict[str, str]:
    """Each client's public key; a seed file `<client>.nk` (mode 600) is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return {client: public_key(_seed(folder / f"{client}.nk")) for client in clients}


def public_key(seed: str) -> str:
    """The public key (U…) of a user's seed (SU…). Raises nkeys.NkeysError when it is none."""
    key: bytes = nkeys.from_seed(seed.encode()).public_key
    return key.decode()


def _seed(file: Path) -> str:
    if not file.exists():
        file.touch(mode=0o600)
        file.write_bytes(nkeys.encode_seed(secrets.token_bytes(32), nkeys.PREFIX_BYTE_USER) + b"\n")
    return file.read_text().strip()


def _own(subject: Subject[Message], party: str) -> str:
    """The subject as a party may use it: one that publishes plans is held to its own name."""
    bound = "publisher" in subject.parameters and party in PLAN_SUBMISSION.publishers
    return subject.filter(publisher=party) if bound else subject.wildcard


def _consuming(stream: str, heard: str) -> list[str]:
    """The API for named consumers on one filter: made, looked up, pulled, acknowledged."""
    return [
        f"{API}.CONSUMER.CREATE.{stream}.*.{heard}",
        f"{API}.CONSUMER.INFO.{stream}.*",
        f"{API}.CONSUMER.MSG.NEXT.{stream}.*",
        f"$JS.ACK.{stream}.*.>",
    ]


def _inbox(client: str) -> str:
    return f"_INBOX_{client}.>"


def _permissions(publish: Iterable[str], subscribe: Iterable[str]) -> Permissions:
    return Permissions(tuple(dict.fromkeys(publish)), tuple(dict.fromkeys(subscribe)))


def _user(name: str, key: str, allowed: Permissions) -> str:
    def subjects(allow: Iterable[str]) -> str:
        return "[\n" + ",\n".join(f"          {json.dumps(subject)}" for subject in allow) + "\n        ]"

    return (
        f"    {{ # {name}\n      nkey: {key}\n      permissions: {{\n"
        f"        publish: {{ allow: {subjects(allowed.publish)} }}\n"
        f"        subscribe: {{ allow: {subjects(allowed.subscribe)} }}\n      }}\n    }}"
    )


def bus_keys(
    keys: Annotated[Path, typer.Option(help="folder of the seed files; what is missing is made, nothing is changed")],
    vendor: Annotated[list[str] | None, typer.Option(help="a vendor's name; may be given more than once")] = None,
) -> None:
    """Make the bus clients' keys, and say the authorization block for nats-server's configuration."""
    vendors = vendor or []
    typer.echo(authorization(write_seeds(keys, all_permissions(vendors)), vendors), nl=False)
