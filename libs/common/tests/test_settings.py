"""Settings come from HEADWORKS_ variables; a bad one is named as the person wrote it."""

from pathlib import Path

import pytest

from headworks.common.settings import ServiceSettings


def test_variables_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWORKS_HTTP_PORT", "8123")
    monkeypatch.setenv("HEADWORKS_SITES", "/somewhere/sites")
    monkeypatch.setenv("HEADWORKS_NO_SUCH_SETTING", "is left alone")
    settings = ServiceSettings()
    assert settings.http_port == 8123
    assert settings.sites == Path("/somewhere/sites")


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("HEADWORKS_HTTP_PORT", "eight", "valid integer"),
        ("HEADWORKS_OPS_PORT", "65536", "less than or equal to 65535"),
    ],
)
def test_a_bad_variable_is_named_with_its_value_and_what_is_right(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, expected: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ValueError, match=rf"{variable}='{value}': .*{expected}"):
        ServiceSettings()


def test_every_bad_variable_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEADWORKS_HTTP_PORT", "eight")
    monkeypatch.setenv("HEADWORKS_OPS_PORT", "-1")
    with pytest.raises(ValueError, match=r"HEADWORKS_HTTP_PORT='eight'.*; HEADWORKS_OPS_PORT='-1'"):
        ServiceSettings()


def test_settings_cannot_be_changed_and_do_not_show_the_databases_password() -> None:
    settings = ServiceSettings(database_url="postgresql+asyncpg://u:pass-word@h/d")
    assert "pass-word" not in repr(settings)
    with pytest.raises(ValueError, match="frozen"):
        settings.http_port = 1  # type: ignore[misc]  # that it is refused is what is shown


def test_a_secret_may_lie_in_a_file_and_a_variable_comes_before_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "headworks_database_url").write_text("postgresql+asyncpg://u:from-file@h/d\n")
    monkeypatch.setenv("HEADWORKS_SECRETS_DIR", str(tmp_path))
    assert ServiceSettings().database_url == "postgresql+asyncpg://u:from-file@h/d"
    monkeypatch.setenv("HEADWORKS_DATABASE_URL", "postgresql+asyncpg://u:from-variable@h/d")
    assert ServiceSettings().database_url == "postgresql+asyncpg://u:from-variable@h/d"
