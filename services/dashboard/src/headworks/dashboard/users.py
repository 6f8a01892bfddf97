"""Who may sign in: people with a role and an argon2 hash, from the file that HEADWORKS_USERS_FILE names."""

import hashlib
import json
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from headworks.common.auth import Role


class User(BaseModel):
    """A person who may sign in."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@\-]{0,63}$")
    role: Role
    argon2: str = Field(repr=False)

    @property
    def mark(self) -> str:
        """Changes with the password, so that sessions of the old one end."""
        return hashlib.sha256(self.argon2.encode()).hexdigest()[:16]


def read_users(path: Path | None) -> dict[str, User]:
    """The users by name; none without a file. Raises ValueError saying what is wrong in it."""
    if path is None:
        return {}
    try:
        users = TypeAdapter(list[User]).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except (ValidationError, json.JSONDecodeError) as error:
        form = '[{"name": "ann", "role": "operator", "argon2": "$argon2id$…"}]'
        raise ValueError(f"HEADWORKS_USERS_FILE={path} must be like {form}: {_without_input(error)}") from error
    if Role.SERVICE in {user.role for user in users}:
        raise ValueError(f"HEADWORKS_USERS_FILE={path}: role 'service' is for services, not for people")
    return {user.name: user for user in users}


def _without_input(error: ValidationError | json.JSONDecodeError) -> str:
    """The error without what the file holds: it has hashes."""
    if isinstance(error, json.JSONDecodeError):
        return str(error)
    return "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_input=False))
