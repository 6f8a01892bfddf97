"""Who may call: whatever is not known and valid now is denied, and a role bears its scopes only."""

import hashlib
import hmac
import json
import threading
from base64 import urlsafe_b64encode
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from headworks.common.auth import Admin, Authenticator, Caller, Engineer, Issuer, Operator, Role, Viewer
from headworks.common.service import create_app
from headworks.common.settings import ServiceSettings

SECRET = "a-secret-of-these-tests-that-is-long-enough-for-HS512-as-well-it-wants-64"
MINUTE = timedelta(minutes=1)
PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    path = tmp_path / "jwt-secret"
    path.write_text(SECRET + "\n")
    return path


@pytest.fixture
def authenticator(secret_file: Path) -> Authenticator:
    return Authenticator(ServiceSettings(jwt_secret_file=secret_file))


def claims(**changes: object) -> dict[str, object]:
    """A good set of claims, with changes; None leaves one out, a timedelta counts from now."""
    now = datetime.now(UTC)
    changes = {name: now + value if isinstance(value, timedelta) else value for name, value in changes.items()}
    good = {"sub": "ann", "role": "operator", "iss": "headworks", "aud": "headworks", "iat": now, "exp": now + MINUTE}
    return {name: value for name, value in (good | changes).items() if value is not None}


# ---------------------------------------------------------------- the built-in issuer


async def test_a_token_of_the_built_in_issuer_names_its_caller(authenticator: Authenticator) -> None:
    token = authenticator.issuer.issue("ann", Role.OPERATOR, MINUTE)
    assert await authenticator.caller_of_token(token) == Caller("ann", Role.OPERATOR)


@pytest.mark.parametrize(
    "changes",
    [
        {"exp": -timedelta(hours=1)},
        {"exp": None},
        {"nbf": timedelta(hours=1)},
        {"iat": timedelta(hours=1)},
        {"aud": "another-system"},
        {"aud": None},
        {"iss": "another-issuer"},
        {"iss": None},
        {"sub": None},
        {"sub": 7},
        {"role": None},
        {"role": "owner"},
        {"role": ["admin"]},
        {"role": {"admin": True}},
    ],
    ids=str,
)
async def test_a_token_that_is_not_right_now_and_for_us_is_denied(
    authenticator: Authenticator, changes: dict[str, object]
) -> None:
    assert await authenticator.caller_of_token(jwt.encode(claims(), SECRET, "HS256")) is not None
    assert await authenticator.caller_of_token(jwt.encode(claims(**changes), SECRET, "HS256")) is None


@pytest.mark.parametrize("algorithm", ["HS384", "HS512", "none"])
async def test_another_algorithm_is_denied(authenticator: Authenticator, algorithm: str) -> None:
    token = jwt.encode(claims(), "" if algorithm == "none" else SECRET, algorithm)
    assert await authenticator.caller_of_token(token) is None


async def test_another_secret_or_a_changed_payload_is_denied(authenticator: Authenticator) -> None:
    stranger = Issuer("another-secret-that-is-long-enough-too", "headworks", "headworks")
    assert await authenticator.caller_of_token(stranger.issue("ann", Role.ADMIN, MINUTE)) is None
    head, _body, signature = authenticator.issuer.issue("ann", Role.VIEWER, MINUTE).split(".")
    body = stranger.issue("ann", Role.ADMIN, MINUTE).split(".")[1]
    assert await authenticator.caller_of_token(f"{head}.{body}.{signature}") is None


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "not a token", "é", "\x00" * 9, "e" * 100_000])
async def test_garbage_is_denied(authenticator: Authenticator, token: str) -> None:
    assert await authenticator.caller_of_token(token) is None
    assert authenticator.caller_of_api_key(token) is None


async def test_without_an_issuer_nobody_has_a_token() -> None:
    authenticator = Authenticator(ServiceSettings())
    assert await authenticator.caller_of_token(jwt.encode(claims(), SECRET, "HS256")) is None
    with pytest.raises(ValueError, match="HEADWORKS_JWT_SECRET_FILE is not set"):
        _ = authenticator.issuer


def test_a_short_secret_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "jwt-secret"
    path.write_text("short")
    with pytest.raises(ValueError, match=r"HEADWORKS_JWT_SECRET_FILE=.* holds 5 characters; at least 32"):
        Authenticator(ServiceSettings(jwt_secret_file=path))


# ---------------------------------------------------------------- an outside issuer


@dataclass
class OutsideIssuer:
    """Serves a key set over HTTP, and signs with keys that may or may not be in it."""

    url: str = ""
    keys: dict[str, PrivateKey] = field(default_factory=dict)
    asked: int = 0

    def document(self) -> bytes:
        """The key set as an issuer publishes it."""
        self.asked += 1
        return json.dumps({"keys": [_public(kid, key) for kid, key in self.keys.items()]}).encode()

    def token(self, kid: str, key: PrivateKey, **changes: object) -> str:
        """A token signed with a key."""
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        return jwt.encode(claims(**changes), key, algorithm, headers={"kid": kid})


def _public(kid: str, key: PrivateKey) -> Mapping[str, Any]:
    if isinstance(key, rsa.RSAPrivateKey):
        return {**jwt.algorithms.RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}
    return {**jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True), "kid": kid, "use": "sig"}


@pytest.fixture(scope="session")
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@pytest.fixture
def outside() -> Iterator[OutsideIssuer]:
    issuer = OutsideIssuer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(issuer.document())

        def log_message(self, format: str, *_args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        issuer.url = f"http://127.0.0.1:{server.server_address[1]}/jwks.json"
        yield issuer
        server.shutdown()
        thread.join()


async def test_keys_of_an_outside_issuer_are_followed_through_their_rotation(
    outside: OutsideIssuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    new_key = ec.generate_private_key(ec.SECP256R1())
    outside.keys = {"old": rsa_key}
    authenticator = Authenticator(ServiceSettings(jwks_url=outside.url), jwks_cooldown_s=0)
    assert await authenticator.caller_of_token(outside.token("old", rsa_key)) == Caller("ann", Role.OPERATOR)
    assert await authenticator.caller_of_token(outside.token("new", new_key)) is None
    outside.keys = {"new": new_key}
    assert await authenticator.caller_of_token(outside.token("new", new_key)) == Caller("ann", Role.OPERATOR)
    assert await authenticator.caller_of_token(outside.token("old", rsa_key)) is None


async def test_tokens_of_unknown_keys_do_not_flood_the_outside_issuer(
    outside: OutsideIssuer, rsa_key: rsa.RSAPrivateKey
) -> None:
    outside.keys = {"key": rsa_key}
    authenticator = Authenticator(ServiceSettings(jwks_url=outside.url))
    for i in range(20):
        assert await authenticator.caller_of_token(outside.token(f"unknown-{i}", rsa_key)) is None
    assert outside.asked == 1


async def test_the_outside_issuers_public_key_is_no_shared_secret(
    outside: OutsideIssuer, rsa_key: rsa.RSAPrivateKey, secret_file: Path
) -> None:
    outside.keys = {"key": rsa_key}
    pem = rsa_key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    # PyJWT itself will not sign so; an attacker does.
    head, body = ({"alg": "HS256", "kid": "key"}, claims(iat=None, exp=2**31))
    signed = b".".join(urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=") for part in (head, body))
    signature = urlsafe_b64encode(hmac.digest(pem, signed, "sha256")).rstrip(b"=")
    token = b".".join((signed, signature)).decode()
    for settings in (
        ServiceSettings(jwks_url=outside.url),
        ServiceSettings(jwks_url=outside.url, jwt_secret_file=secret_file),
    ):
        assert await Authenticator(settings).caller_of_token(token) is None


async def test_beside_an_outside_issuer_the_services_still_know_one_another(
    outside: OutsideIssuer, rsa_key: rsa.RSAPrivateKey, secret_file: Path
) -> None:
    outside.keys = {"key": rsa_key}
    authenticator = Authenticator(ServiceSettings(jwks_url=outside.url, jwt_secret_file=secret_file))
    own = authenticator.issuer.issue("optimizer", Role.SERVICE, MINUTE)
    assert await authenticator.caller_of_token(own) == Caller("optimizer", Role.SERVICE)
    assert await authenticator.caller_of_token(outside.token("key", rsa_key)) == Caller("ann", Role.OPERATOR)


async def test_an_outside_issuer_that_is_away_lets_nobody_in(rsa_key: rsa.RSAPrivateKey) -> None:
    authenticator = Authenticator(ServiceSettings(jwks_url="http://127.0.0.1:1/jwks.json"))
    assert await authenticator.caller_of_token(OutsideIssuer().token("key", rsa_key)) is None


# ---------------------------------------------------------------- API keys


def keys_file(tmp_path: Path, *keys: dict[str, str]) -> Path:
    path = tmp_path / "api-keys.json"
    path.write_text(json.dumps(keys))
    return path


def stored(name: str, key: str, role: str = "viewer") -> dict[str, str]:
    return {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest(), "role": role}


def test_a_key_is_known_by_its_hash_alone(tmp_path: Path) -> None:
    path = keys_file(tmp_path, stored("historian", "key-one"), stored("scada", "key-two", "operator"))
    assert "key-one" not in path.read_text()
    authenticator = Authenticator(ServiceSettings(api_keys_file=path))
    scada = authenticator.caller_of_api_key("key-two")
    assert scada == Caller("scada", Role.OPERATOR, by_key=True)
    assert not scada.is_person
    assert authenticator.caller_of_api_key("key-three") is None
    assert authenticator.caller_of_api_key(stored("historian", "key-one")["sha256"]) is None


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{not json", "HEADWORKS_API_KEYS_FILE=.*not JSON"),
        ('[{"name": "a", "sha256": "key-one", "role": "viewer"}]', "HEADWORKS_API_KEYS_FILE=.*sha256"),
        ('[{"name": "a", "role": "viewer"}]', "HEADWORKS_API_KEYS_FILE=.*sha256"),
        ('[{"name": "a", "sha256": "%s", "role": "owner"}]' % ("0" * 64), "HEADWORKS_API_KEYS_FILE=.*role"),
    ],
)
def test_a_wrong_file_of_keys_is_named_and_no_key_is_shown(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "api-keys.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message) as caught:
        Authenticator(ServiceSettings(api_keys_file=path))
    assert "key-one" not in str(caught.value)


# ---------------------------------------------------------------- at an API


@pytest.fixture
async def client(tmp_path: Path, secret_file: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app("test", "routes of every scope")

    @app.get("/forgotten")
    async def forgotten() -> str:
        return "a route that asks for no scope"

    @app.get("/viewer")
    async def viewer(caller: Viewer) -> str:
        return caller.name

    @app.get("/operator")
    async def operator(caller: Operator) -> str:
        return caller.name

    @app.get("/engineer")
    async def engineer(caller: Engineer) -> str:
        return caller.name

    @app.get("/admin")
    async def admin(caller: Admin) -> str:
        return caller.name

    keys = keys_file(tmp_path, stored("scada", "key-two", "operator"))
    app.state.authenticator = Authenticator(ServiceSettings(jwt_secret_file=secret_file, api_keys_file=keys))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
        yield client


PATHS = ("/forgotten", "/viewer", "/operator", "/engineer", "/admin")
OPEN_TO = {
    Role.VIEWER: {"/forgotten", "/viewer"},
    Role.OPERATOR: {"/forgotten", "/viewer", "/operator"},
    Role.ENGINEER: {"/forgotten", "/viewer", "/operator", "/engineer"},
    Role.SERVICE: {"/forgotten", "/viewer", "/operator", "/engineer"},
    Role.ADMIN: set(PATHS),
}


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_opens_what_it_may_and_nothing_more(
    client: httpx.AsyncClient, authenticator: Authenticator, role: Role
) -> None:
    headers = {"Authorization": f"Bearer {authenticator.issuer.issue('ann', role, MINUTE)}"}
    answers = {path: (await client.get(path, headers=headers)).status_code for path in PATHS}
    assert answers == {path: 200 if path in OPEN_TO[role] else 403 for path in PATHS}


async def test_a_refusal_says_which_scope_is_needed(client: httpx.AsyncClient) -> None:
    answer = await client.get("/engineer", headers={"X-API-Key": "key-two"})
    assert answer.status_code == 403
    assert answer.json()["detail"] == "scada has the role operator; this needs the scope 'engineer'"


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer nonsense"},
        {"Authorization": "Basic YTpi"},
        {"X-API-Key": "unknown"},
        {"X-API-Key": ""},
        {"Authorization": "Bearer nonsense", "X-API-Key": "key-two"},
    ],
    ids=str,
)
async def test_every_route_is_closed_without_a_caller(client: httpx.AsyncClient, headers: dict[str, str]) -> None:
    for path in (*PATHS, "/openapi.json"):
        answer = await client.get(path, headers=headers)
        assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json"), path
        assert answer.headers["www-authenticate"] == "Bearer"
