"""Who may call: OAuth2/JWT bearer tokens (built-in or outside issuer) or hashed API keys, roles, and scopes.

Every API is closed by default: an app made by `service.create_app` answers 401 without a caller, 403 without the scope.
"""

import hashlib
import hmac
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import jwt
from fastapi import Depends, Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, StringConstraints, TypeAdapter, ValidationError
from starlette.concurrency import run_in_threadpool

from headworks.common.problems import Problem
from headworks.common.settings import ServiceSettings


class Role(StrEnum):
    """What a person or a system is, from least to most."""

    VIEWER = "viewer"
    OPERATOR = "operator"
    ENGINEER = "engineer"
    ADMIN = "admin"
    SERVICE = "service"


VIEW, OPERATE, ENGINEER, ADMINISTER = "view", "operate", "engineer", "administer"
OUTSIDE_ALGORITHMS = ["RS256", "ES256"]
SCOPES: dict[Role, frozenset[str]] = {
    Role.VIEWER: frozenset({VIEW}),
    Role.OPERATOR: frozenset({VIEW, OPERATE}),
    Role.ENGINEER: frozenset({VIEW, OPERATE, ENGINEER}),
    Role.ADMIN: frozenset({VIEW, OPERATE, ENGINEER, ADMINISTER}),
    Role.SERVICE: frozenset({VIEW, OPERATE, ENGINEER}),
}


@dataclass(frozen=True, slots=True)
class Caller:
    """An authenticated caller: its name for the audit, and what it may do."""

    name: str
    role: Role
    by_key: bool = False

    @property
    def is_person(self) -> bool:
        """Whether somebody signed in: services and API keys are machines."""
        return self.role is not Role.SERVICE and not self.by_key

    @property
    def scopes(self) -> frozenset[str]:
        """What the role allows."""
        return SCOPES[self.role]


class ApiKey(BaseModel):
    """A stored key: SHA-256 of a random 256-bit key (a slow hash serves guessable secrets, not these)."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    role: Role


@dataclass(frozen=True, slots=True)
class Issuer:
    """The built-in issuer: HS256 tokens with a shared secret."""

    secret: str
    issuer: str
    audience: str

    def issue(self, name: str, role: Role, lifetime: timedelta, now: datetime | None = None) -> str:
        """A signed token. `now` is real time: tokens live on the machine's clock."""
        issued_at = now or datetime.now(UTC)
        claims = {
            "sub": name,
            "role": role.value,
            "iss": self.issuer,
            "aud": self.audience,
            "iat": issued_at,
            "exp": issued_at + lifetime,
        }
        return jwt.encode(claims, self.secret, algorithm="HS256")


class Authenticator:
    """Tells who a token or key belongs to. Denies whatever it does not know."""

    def __init__(self, settings: ServiceSettings, *, jwks_cooldown_s: float = 30) -> None:
        """`jwks_cooldown_s` keeps tokens of unknown keys from asking the outside issuer again and again."""
        self._settings = settings
        self._secret = _read_secret(settings.jwt_secret_file)
        self._jwks = (
            jwt.PyJWKClient(settings.jwks_url, timeout=5, cooldown_duration=jwks_cooldown_s)
            if settings.jwks_url
            else None
        )
        self._api_keys = _read_api_keys(settings.api_keys_file)

    @property
    def issuer(self) -> Issuer:
        """The built-in issuer. Raises ValueError where the deployment has none."""
        if self._secret is None:
            raise ValueError("HEADWORKS_JWT_SECRET_FILE is not set: this deployment has no built-in issuer")
        return Issuer(self._secret, self._settings.jwt_issuer, self._settings.jwt_audience)

    async def caller_of_token(self, token: str) -> Caller | None:
        """The token's owner, or None when it is not valid now."""
        try:
            key, algorithms = await self._verification_key(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=algorithms,
                audience=self._settings.jwt_audience,
                issuer=self._settings.jwt_issuer,
                options={"require": ["exp", "iss", "aud", "sub"]},
            )
            return Caller(str(claims["sub"]), Role(claims.get("role", "")))
        except (jwt.PyJWTError, ValueError):
            return None

    async def _verification_key(self, token: str) -> tuple[Any, list[str]]:
        """The key that the token must be signed with: our secret for HS256 alone, an outside key never for it."""
        algorithm = jwt.get_unverified_header(token).get("alg")
        if algorithm == "HS256" and self._secret is not None:
            return self._secret, ["HS256"]
        if algorithm in OUTSIDE_ALGORITHMS and self._jwks is not None:
            key = await run_in_threadpool(self._jwks.get_signing_key_from_jwt, token)
            return key.key, OUTSIDE_ALGORITHMS
        raise ValueError(f"no issuer is configured for alg={algorithm!r}")

    def caller_of_api_key(self, key: str) -> Caller | None:
        """The key's owner, or None when it is unknown."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        for stored in self._api_keys:
            if hmac.compare_digest(stored.sha256, digest):
                return Caller(stored.name, stored.role, by_key=True)
        return None


def _read_secret(path: Path | None) -> str | None:
    if path is None:
        return None
    secret = path.read_text().strip()
    if len(secret) < 32:
        raise ValueError(f"HEADWORKS_JWT_SECRET_FILE={path} holds {len(secret)} characters; at least 32 are needed")
    return secret


def _read_api_keys(path: Path | None) -> list[ApiKey]:
    """The stored keys. Raises ValueError naming the file and the fields, and none of what they hold."""
    if path is None:
        return []
    try:
        return TypeAdapter(list[ApiKey]).validate_python(json.loads(path.read_text()))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors())
        raise ValueError(f"HEADWORKS_API_KEYS_FILE={path}: {wrong}") from None
    except ValueError as error:
        raise ValueError(f"HEADWORKS_API_KEYS_FILE={path} is not JSON: {error}") from error


_bearer = HTTPBearer(auto_error=False, description="JWT of the built-in or an outside issuer")
_api_key = APIKeyHeader(name="X-API-Key", auto_error=False, description="an API key")


async def authenticated(
    request: Request,
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    api_key: Annotated[str | None, Security(_api_key)],
) -> Caller:
    """The caller of this request; answers 401 when there is none."""
    authenticator: Authenticator = request.app.state.authenticator
    caller = None
    if bearer is not None:
        caller = await authenticator.caller_of_token(bearer.credentials)
    elif api_key is not None:
        caller = authenticator.caller_of_api_key(api_key)
    if caller is None:
        detail = "Send Authorization: Bearer <token> or X-API-Key: <key>, valid now"
        raise Problem(401, "Not signed in", detail, headers={"WWW-Authenticate": "Bearer"})
    request.state.caller = caller.name
    return caller


async def caller_of(request: Request) -> Caller:
    """The caller of a request, for what works around the routes. Answers 401 like `authenticated`."""
    return await authenticated(request, await _bearer(request), await _api_key(request))


def requires(scope: str) -> Callable[..., Coroutine[Any, Any, Caller]]:
    """A dependency that gives the caller when it has the scope, and answers 403 when not."""

    async def allowed(caller: Annotated[Caller, Depends(authenticated)]) -> Caller:
        if scope not in caller.scopes:
            detail = f"{caller.name} has the role {caller.role.value}; this needs the scope '{scope}'"
            raise Problem(403, "Not allowed", detail)
        return caller

    return allowed


Viewer = Annotated[Caller, Depends(requires(VIEW))]
Operator = Annotated[Caller, Depends(requires(OPERATE))]
Engineer = Annotated[Caller, Depends(requires(ENGINEER))]
Admin = Annotated[Caller, Depends(requires(ADMINISTER))]
