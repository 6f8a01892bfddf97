"""What the bus' server and the door say to each other: JWTs signed with NKEYs (nats-server's auth callout).

The server passes on what a client said of itself and the nonce it was given; whether the client holds the seed of its key is
ours to check, which `Knock.proved` does.
"""

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import nkeys
from nacl.exceptions import CryptoError
from nacl.signing import VerifyKey

from headworks.common.permissions import VENDORS_ACCOUNT, Permissions

MAX_PAYLOAD = 4_000_000
"""More than the largest submission that is taken."""
MAX_SUBSCRIPTIONS = 100
KEY_BYTES = 35
"""One that says what kind of key it is, the key itself, two of a checksum."""


@dataclass(frozen=True, slots=True)
class Knock:
    """A client that wants in: the key that it names, its proof, and what the server calls the two of them."""

    public_key: str
    signature: str
    nonce: str
    user_nkey: str
    server_id: str
    address: str = "unknown"

    @property
    def proved(self) -> bool:
        """Whether the client holds the seed of its key: the nonce is new for each connection, and signed with it."""
        try:
            raw = base64.b32decode(self.public_key + "=" * (-len(self.public_key) % 8))
            if not self.nonce or len(raw) != KEY_BYTES or raw[0] != nkeys.PREFIX_BYTE_USER:
                return False
            VerifyKey(raw[1:33]).verify(self.nonce.encode(), _decoded(self.signature))
        except (CryptoError, ValueError, TypeError):
            return False
        return True


def read_knock(request: bytes) -> Knock:
    """The server's question. Raises ValueError, KeyError or IndexError for what is none."""
    asked = json.loads(_decoded(request.decode().split(".")[1]))["nats"]
    said, client = asked["connect_opts"], asked["client_info"]
    return Knock(
        public_key=str(said.get("nkey", "")),
        signature=str(said.get("sig", "")),
        nonce=str(client.get("nonce", "")),
        user_nkey=asked["user_nkey"],
        server_id=asked["server_id"]["id"],
        address=str(client.get("host", "unknown"))[:60],
    )


def welcome(issuer_seed: str, knock: Knock, name: str, allowed: Permissions, now: datetime) -> bytes:
    """The answer that lets a client in among the vendors, under a name that the server then tells it by."""
    user = {
        "pub": {"allow": list(allowed.publish)},
        "sub": {"allow": list(allowed.subscribe)},
        "subs": MAX_SUBSCRIPTIONS,
        "data": -1,
        "payload": MAX_PAYLOAD,
        "type": "user",
        "version": 2,
    }
    claims = {"sub": knock.user_nkey, "aud": VENDORS_ACCOUNT, "name": name, "nats": user}
    token = _signed(issuer_seed, claims, now)
    return _answer(issuer_seed, knock, {"jwt": token}, now)


def turned_away(issuer_seed: str, knock: Knock, why: str, now: datetime) -> bytes:
    """The answer that does not. The client hears of an authorization violation alone; the server logs why."""
    return _answer(issuer_seed, knock, {"error": why}, now)


def _answer(issuer_seed: str, knock: Knock, content: Mapping[str, str], now: datetime) -> bytes:
    nats = {**content, "type": "authorization_response", "version": 2}
    return _signed(issuer_seed, {"sub": knock.user_nkey, "aud": knock.server_id, "nats": nats}, now).encode()


def _signed(seed: str, claims: Mapping[str, Any], now: datetime) -> str:
    pair = nkeys.from_seed(seed.encode())
    content = {"iat": int(now.timestamp()), "iss": pair.public_key.decode(), **claims}
    content["jti"] = base64.b32encode(hashlib.sha256(json.dumps(content).encode()).digest()).decode().rstrip("=")
    header = {"typ": "JWT", "alg": "ed25519-nkey"}
    signed = ".".join(_encoded(json.dumps(part).encode()) for part in (header, content))
    return f"{signed}.{_encoded(pair.sign(signed.encode()))}"


def _encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def _decoded(text: str) -> bytes:
    """Base 64 in either alphabet: client libraries differ in how they write their signature."""
    plain = text.rstrip("=").replace("+", "-").replace("/", "_")
    return base64.urlsafe_b64decode(plain + "=" * (-len(plain) % 4))
