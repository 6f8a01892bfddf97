"""Who may do what on the bus, from the registry: NKEYs, and nats-server's accounts and authorization; all else it refuses.

The services stand in the server's configuration. Vendors come and go, so the server asks the plans service about every other key
that knocks (its auth callout), and the plans service answers from its own registry of vendors, with the permissions below.

A vendor may publish on the submit subjects of its sites and hear its own replies, live, as plain subscriptions: it has no access
to JetStream, and asks again with the same submission id for an answer it missed. A service may send and hear what the registry
says. The server compares subjects by whole tokens: a service can create no consumer on a subject that is not its own, but one
that hears a subject of a stream could pull on another service's consumer there if it knew its name. Nor does the server ask
whether a client may publish where it wants an answer to: a stream's confirmation goes wherever the reply subject says, in the
server's own name. For services that is accepted.

So vendors are in an account of their own, where no subject of the services is. Two ways lead through its wall: submissions go
out, and the server puts a reply subject of its own in the place of the vendor's; replies come in. A confirmation can reach
vendors alone, and never where they hear replies.
"""

import itertools
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
DOORKEEPER, VENDOR_ISSUER = "doorkeeper", "vendor_issuer"
"""Two more keys of the plans service: it sees who is connected and shows vendors out; it signs what a vendor may do."""
KEYHOLDERS = {"plans": ("plans", DOORKEEPER, VENDOR_ISSUER)}
"""The services that hold more keys than their own."""
SERVICES_ACCOUNT, VENDORS_ACCOUNT = "HEADWORKS", "VENDORS"
"""The server's accounts. That of the services has a name, for the one without can open no way to another."""
HEAR_ONLY = "hear-only"
"""Where a vendor's publish on what it may only hear ends: nobody may publish or hear there, and the server's refusal says it."""
API = "$JS.API"
DOOR = "$SYS.REQ.USER.AUTH"
"""Where the server asks about a key that it does not know."""
CONNECTIONS = "$SYS.REQ.SERVER.PING.CONNZ"
KICK = "$SYS.REQ.SERVER.{server}.KICK"
RESERVED = frozenset({*SERVICES, MIGRATE, OPERATIONS, DOORKEEPER, VENDOR_ISSUER})
"""Names that no vendor may have."""


@dataclass(frozen=True, slots=True)
class Permissions:
    """Subjects that a client may publish and subscribe."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False
    """Whether it may publish one answer to each request that it hears."""


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
    answers = VENDOR_ISSUER in KEYHOLDERS.get(service, ())
    return _permissions(publish, [*subscribe, *([DOOR] if answers else [])], answers=answers)


def permissions_of_vendor(vendor: str, sites: Iterable[str]) -> Permissions:
    """A vendor's own submit and reply subjects of its sites. Raises ValueError for a name that is not a vendor's."""
    if vendor in RESERVED or not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_\-]{0,63}", vendor):
        raise ValueError(f"vendor={vendor!r} must be letters, digits, - and _, and none of {sorted(RESERVED)}")
    own = [{"publisher": vendor, "site": site} for site in sites]
    publish = [subject.at(**parts) for subject in SUBJECTS if VENDOR in subject.publishers for parts in own]
    subscribe = [subject.at(**parts) for subject in SUBJECTS if VENDOR in subject.hearers for parts in own]
    return _permissions(publish, [_inbox(vendor), *subscribe])


def permissions_of_migrate() -> Permissions:
    """Declaring the streams, with the consumers that some are kept for, and nothing else."""
    streams = stream_subjects()
    publish = [f"{API}.STREAM.{act}.{stream.name}" for stream in streams for act in ("CREATE", "UPDATE")]
    publish += [
        f"{API}.CONSUMER.CREATE.{stream.name}.{stream.kept_for}.{heard}"
        for stream, subjects in streams.items()
        if stream.kept_for is not None
        for heard in subjects
    ]
    return _permissions(publish, [_inbox(MIGRATE)])


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


def permissions_of_doorkeeper() -> Permissions:
    """In the server's system account: seeing who is connected, and ending a connection."""
    return _permissions([CONNECTIONS, KICK.format(server="*")], [_inbox(DOORKEEPER)])


def all_permissions() -> dict[str, Permissions]:
    """Every client that stands in the server's configuration, by its name."""
    return {
        **{service: permissions_of_service(service) for service in SERVICES},
        MIGRATE: permissions_of_migrate(),
        OPERATIONS: permissions_of_operations(),
    }


def authorization(public_keys: Mapping[str, str]) -> str:
    """nats-server's accounts and authorization. Raises KeyError for a client without a public key."""
    users = [_user(name, public_keys[name], allowed) for name, allowed in all_permissions().items()]
    keeper = _user(DOORKEEPER, public_keys[DOORKEEPER], permissions_of_doorkeeper())
    known = ", ".join(public_keys[name] for name in (*all_permissions(), DOORKEEPER))
    exports, vendors = _ways_of_vendors()
    return "\n".join(
        [
            *("accounts {", "  $SYS: { users: [", keeper, "  ] }"),
            *(f"  {SERVICES_ACCOUNT}: {{", "  jetstream: enabled", f"  exports: {exports}"),
            *("  users: [", *users, "  ] }"),
            *(f"  {VENDORS_ACCOUNT}: {{", *vendors, "  }", "}"),
            *("authorization {", "  timeout: 2"),
            "  # Any other key is a vendor's, or nobody's: the plans service knows.",
            f"  auth_callout: {{ issuer: {public_keys[VENDOR_ISSUER]}, account: {SERVICES_ACCOUNT},",
            f"    auth_users: [{known}] }}",
            *("}", ""),
        ]
    )


def write_seeds(folder: Path) -> dict[str, str]:
    """Every public key of a deployment; a seed file `<client>.nk` (mode 600) is made where there is none."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    clients = (*all_permissions(), DOORKEEPER, VENDOR_ISSUER)
    return {client: public_key(_seed(folder / f"{client}.nk", client)) for client in clients}


def public_key(seed: str) -> str:
    """The public key (U…, or A… of an issuer) of a seed. Raises nkeys.NkeysError when it is none."""
    key: bytes = nkeys.from_seed(seed.encode()).public_key
    return key.decode()


def new_seed(prefix: int = nkeys.PREFIX_BYTE_USER) -> str:
    """A new seed: SU… of a user, without another prefix."""
    made: bytes = nkeys.encode_seed(secrets.token_bytes(32), prefix)
    return made.decode()


def _seed(file: Path, client: str) -> str:
    if not file.exists():
        file.touch(mode=0o600)
        prefix = nkeys.PREFIX_BYTE_ACCOUNT if client == VENDOR_ISSUER else nkeys.PREFIX_BYTE_USER
        file.write_text(new_seed(prefix) + "\n")
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


def _ways_of_vendors() -> tuple[str, list[str]]:
    """What the services' account lets out to vendors, and what stands in the vendors'.

    Submissions are a service, so that the server makes up each one's reply subject. A confirmation on a reply's subject would
    begin within the vendors' account, and what begins there a mapping leads away; what comes in from the services is not mapped.
    """
    ways = [("service", s.wildcard) for s in SUBJECTS if VENDOR in s.publishers]
    heard = [s.wildcard for s in SUBJECTS if VENDOR in s.hearers]
    ways += [("stream", subject) for subject in heard]
    exports = ", ".join(f'{{ {kind}: "{subject}", accounts: [{VENDORS_ACCOUNT}] }}' for kind, subject in ways)
    imports = ", ".join(
        f'{{ {kind}: {{ account: {SERVICES_ACCOUNT}, subject: "{subject}" }} }}' for kind, subject in ways
    )
    mappings = ", ".join(f'"{subject}": "{_hear_only(subject)}"' for subject in heard)
    return f"[{exports}]", [f"  imports: [{imports}]", f"  mappings: {{ {mappings} }}"]


def _hear_only(wildcard: str) -> str:
    """The mapping's other side, which keeps each token: $1 is the first wildcard's."""
    kept = itertools.count(1)
    return f"{HEAR_ONLY}.{re.sub('[*]', lambda _: f'${next(kept)}', wildcard)}"


def _inbox(client: str) -> str:
    return f"_INBOX_{client}.>"


def _permissions(publish: Iterable[str], subscribe: Iterable[str], *, answers: bool = False) -> Permissions:
    return Permissions(tuple(dict.fromkeys(publish)), tuple(dict.fromkeys(subscribe)), answers)


def _user(name: str, key: str, allowed: Permissions) -> str:
    def subjects(allow: Iterable[str]) -> str:
        return "[\n" + ",\n".join(f"          {json.dumps(subject)}" for subject in allow) + "\n        ]"

    return (
        f"    {{ # {name}\n      nkey: {key}\n      permissions: {{\n"
        f"        publish: {{ allow: {subjects(allowed.publish)} }}\n"
        f"        subscribe: {{ allow: {subjects(allowed.subscribe)} }}\n"
        f"        allow_responses: {str(allowed.answers).lower()}\n      }}\n    }}"
    )


def bus_keys(
    keys: Annotated[Path, typer.Option(help="folder of the seed files; what is missing is made, nothing is changed")],
) -> None:
    """Make the bus clients' keys, and say the accounts and authorization for nats-server's configuration."""
    typer.echo(authorization(write_seeds(keys)), nl=False)
