"""Who is signed in: checks passwords, makes the signed session cookie, and knows when a session is over.

Sessions live on the machine's clock.
"""

import asyncio
import hmac
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import jwt
from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from headworks.dashboard.throttle import Throttle
from headworks.dashboard.users import User

COOKIE = "headworks_session"
AUDIENCE = "headworks-dashboard-session"
LONGEST = 256


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that holds: whose, its id, and when it ends."""

    user: User
    session_id: str
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Wrong:
    """Name and password do not belong together."""


@dataclass(frozen=True, slots=True)
class TooMany:
    """Too many wrong tries; the next is heard after `wait_s`."""

    wait_s: float


class Sessions:
    """Signs people in and out. A signed-out session is remembered until it would have ended."""

    def __init__(
        self,
        users: Mapping[str, User],
        secret: str,
        lifetime: timedelta,
        throttle: Throttle,
        hasher: PasswordHasher | None = None,
    ) -> None:
        self._users, self._lifetime, self._throttle = users, lifetime, throttle
        self._key = hmac.digest(secret.encode(), AUDIENCE.encode(), "sha256")
        self._hasher = hasher or PasswordHasher()
        self._nobody = self._hasher.hash(secrets.token_urlsafe(16))
        self._ended: dict[str, datetime] = {}
        self._verifying = asyncio.Semaphore(2)

    async def sign_in(self, name: str, password: str, address: str, now: datetime) -> SignedIn | Wrong | TooMany:
        """A new session. An unknown name takes as long as a wrong password."""
        if len(name) > LONGEST or len(password) > LONGEST:
            return Wrong()
        wait_s = self._throttle.wait_s(address, name, now)
        if wait_s > 0:
            return TooMany(wait_s)
        user = self._users.get(name)
        async with self._verifying:
            right = await asyncio.to_thread(self._verify, user.argon2 if user else self._nobody, password)
        if user is None or not right:
            self._throttle.note_failure(address, name, now)
            return Wrong()
        self._throttle.note_success(address, name)
        return SignedIn(user, secrets.token_urlsafe(16), now + self._lifetime)

    def _verify(self, stored: str, password: str) -> bool:
        try:
            return self._hasher.verify(stored, password)
        except (VerificationError, InvalidHashError):
            return False

    def cookie_of(self, session: SignedIn) -> str:
        """The session as a signed text."""
        claims = {
            "sub": session.user.name,
            "mark": session.user.mark,
            "jti": session.session_id,
            "aud": AUDIENCE,
            "exp": session.ends_at,
        }
        return jwt.encode(claims, self._key, algorithm="HS256")

    def session_of(self, cookie: str | None, now: datetime) -> SignedIn | None:
        """The session of a cookie, or None when it is forged, over, signed out, or its user or password is gone."""
        if not cookie:
            return None
        options = {"require": ["sub", "jti", "exp", "aud"], "verify_exp": False}
        try:
            claims = jwt.decode(cookie, self._key, algorithms=["HS256"], audience=AUDIENCE, options=options)  # type: ignore[arg-type]
            ends_at = datetime.fromtimestamp(claims["exp"], UTC)
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            return None
        user = self._users.get(str(claims["sub"]))
        if user is None or not hmac.compare_digest(str(claims.get("mark")), user.mark):
            return None
        session = SignedIn(user, str(claims["jti"]), ends_at)
        return session if self.holds(session, now) else None

    def holds(self, session: SignedIn, now: datetime) -> bool:
        """Whether a session is neither over nor signed out."""
        return session.ends_at > now and session.session_id not in self._ended

    def sign_out(self, session: SignedIn, now: datetime) -> None:
        """End a session."""
        self._ended = {session_id: at for session_id, at in self._ended.items() if at > now}
        self._ended[session.session_id] = session.ends_at
