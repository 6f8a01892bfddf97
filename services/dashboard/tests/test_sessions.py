"""Sign-in: who gets a session, what a session is worth when it is forged, old, signed out or its password changed."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from argon2 import PasswordHasher
from starlette.datastructures import Headers

from headworks.common.auth import Role
from headworks.dashboard.gate import same_origin
from headworks.dashboard.sessions import Sessions, SignedIn, TooMany, Wrong
from headworks.dashboard.throttle import Throttle
from headworks.dashboard.users import User, read_users

NOW = datetime(2026, 2, 17, 8, tzinfo=UTC)
PASSWORD = "a good password"
SECRET = "a-secret-of-these-tests-that-is-long-enough"
HASHER = PasswordHasher(time_cost=1, memory_cost=1024, parallelism=1)


def made(users: dict[str, User] | None = None, secret: str = SECRET) -> Sessions:
    known = users or {"otto": User(name="otto", role=Role.OPERATOR, argon2=HASHER.hash(PASSWORD))}
    return Sessions(known, secret, timedelta(hours=12), Throttle(), HASHER)


@pytest.fixture
def sessions() -> Sessions:
    return made()


async def signed_in(sessions: Sessions, now: datetime = NOW) -> SignedIn:
    outcome = await sessions.sign_in("otto", PASSWORD, "10.0.0.1", now)
    assert isinstance(outcome, SignedIn)
    return outcome


async def test_name_and_password_give_a_session_until_its_end(sessions: Sessions) -> None:
    session = await signed_in(sessions)
    cookie = sessions.cookie_of(session)
    found = sessions.session_of(cookie, NOW + timedelta(hours=11, minutes=59))
    assert found is not None
    assert (found.user.name, found.user.role, found.ends_at) == ("otto", Role.OPERATOR, NOW + timedelta(hours=12))
    assert sessions.session_of(cookie, NOW + timedelta(hours=12)) is None


@pytest.mark.parametrize(("name", "password"), [("otto", "a bad password"), ("nobody", PASSWORD), ("otto", "")])
async def test_a_wrong_name_or_password_is_refused_alike(sessions: Sessions, name: str, password: str) -> None:
    assert await sessions.sign_in(name, password, "10.0.0.1", NOW) == Wrong()


@pytest.mark.parametrize("cookie", [None, "", "garbage", "a.b.c", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJvdHRvIn0."])
def test_garbage_is_no_session(sessions: Sessions, cookie: str | None) -> None:
    assert sessions.session_of(cookie, NOW) is None


async def test_a_cookie_signed_by_another_secret_is_no_session(sessions: Sessions) -> None:
    other = made(secret="another-secret-that-is-long-enough-too")
    assert sessions.session_of(other.cookie_of(await signed_in(other)), NOW) is None


async def test_a_changed_cookie_is_no_session(sessions: Sessions) -> None:
    head, body, mark = sessions.cookie_of(await signed_in(sessions)).split(".")
    assert sessions.session_of(f"{head}.{body[:-2]}AA.{mark}", NOW) is None


async def test_signing_out_ends_that_session_and_no_other(sessions: Sessions) -> None:
    first, second = await signed_in(sessions), await signed_in(sessions)
    sessions.sign_out(first, NOW)
    assert sessions.session_of(sessions.cookie_of(first), NOW) is None
    assert sessions.session_of(sessions.cookie_of(second), NOW) is not None


async def test_a_new_password_or_a_removed_user_ends_the_sessions() -> None:
    before = made()
    cookie = before.cookie_of(await signed_in(before))
    changed = made({"otto": User(name="otto", role=Role.OPERATOR, argon2=HASHER.hash("another password"))})
    removed = made({"enna": User(name="enna", role=Role.ENGINEER, argon2=HASHER.hash(PASSWORD))})
    assert changed.session_of(cookie, NOW) is None
    assert removed.session_of(cookie, NOW) is None


async def test_the_sixth_wrong_try_waits_even_with_the_right_password() -> None:
    sessions = made()
    for second in range(5):
        assert await sessions.sign_in("otto", "wrong", "10.0.0.1", NOW + timedelta(seconds=second)) == Wrong()
    outcome = await sessions.sign_in("otto", PASSWORD, "10.0.0.1", NOW + timedelta(seconds=5))
    assert outcome == TooMany(pytest.approx(295))  # type: ignore[arg-type]  # approx compares as a float
    assert isinstance(await sessions.sign_in("otto", PASSWORD, "10.0.0.2", NOW), SignedIn), "another address is heard"
    later = NOW + timedelta(minutes=5, seconds=1)
    assert isinstance(await sessions.sign_in("otto", PASSWORD, "10.0.0.1", later), SignedIn)


def test_an_address_that_tries_many_names_waits() -> None:
    throttle = Throttle(most_of_address=3)
    for name in ("a", "b", "c"):
        assert throttle.wait_s("10.0.0.1", name, NOW) == 0
        throttle.note_failure("10.0.0.1", name, NOW)
    assert throttle.wait_s("10.0.0.1", "d", NOW) == 300
    assert throttle.wait_s("10.0.0.2", "d", NOW) == 0


def test_the_throttle_forgets_the_oldest_before_it_grows_without_end() -> None:
    throttle = Throttle(most_keys=100)
    for n in range(1000):
        throttle.note_failure(f"10.0.{n // 250}.{n % 250}", "otto", NOW + timedelta(seconds=n))
    assert len(throttle._failures) <= 102


def test_users_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "users.json"
    path.write_text(json.dumps([{"name": "otto", "role": "operator", "argon2": "$argon2id$x"}]))
    assert read_users(path)["otto"].role is Role.OPERATOR
    assert read_users(None) == {}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "Expecting property name"),
        ('[{"name": "otto", "role": "boss", "argon2": "$secret-hash"}]', "0.role"),
        ('[{"name": "o t", "role": "operator", "argon2": "$secret-hash"}]', "0.name"),
        ('[{"name": "otto", "role": "service", "argon2": "$secret-hash"}]', "is for services"),
    ],
)
def test_a_wrong_users_file_is_refused_with_the_field_and_without_its_secrets(
    tmp_path: Path, content: str, said: str
) -> None:
    path = tmp_path / "users.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=said) as refusal:
        read_users(path)
    assert "secret-hash" not in str(refusal.value)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("http://dam.example:8006", True),
        ("https://dam.example", False),
        ("https://plant.example", True),
        ("http://evil.example", False),
        ("http://dam.example:8006.evil.example", False),
        ("null", False),
        (None, False),
    ],
)
def test_a_write_is_taken_from_our_own_page_only(origin: str | None, allowed: bool) -> None:
    headers = {"host": "dam.example:8006"} | ({"origin": origin} if origin else {})
    assert same_origin(Headers(headers), "https://plant.example/") is allowed
