"""What docs/safety.md cites: each phrase behind "shown by" is in the name of a test, of the file that stands before it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = next(p for p in Path(__file__).resolve().parents if (p / "docs" / "safety.md").exists())
PAGE = (ROOT / "docs" / "safety.md").read_text(encoding="utf-8")
LINK = re.compile(r"\[[^]]*\]\(([^)]+)\)")
NO_TEST = re.compile(r"\*[^*]+\*")
"""In italics stands what is shown by no test, or where it runs."""
ITALICS = {
    "*no test suspends a machine*",
    "*(`make prove`)*",
    "*every value, by a PLC on libmodbus, mbpoll and modbus-serial*",
}
"""All that is; whoever adds to these says that a hazard is shown by nothing."""


def plain(text: str) -> str:
    """Words alone, as in a test's name."""
    return " ".join(re.sub(r"[^a-z0-9]+", " ", re.sub("['’]s", "s", text.lower())).split())


def names(path: Path) -> list[str]:
    files = [path] if path.is_file() else sorted(path.rglob("test_*.py"))
    found = [name for file in files for name in re.findall(r"def test_(\w+)", file.read_text(encoding="utf-8"))]
    return [re.sub(r" s ", "s ", name.replace("_", " ")) for name in found]


def rows() -> Iterator[tuple[str, list[str]]]:
    """Of each table of hazards what is shown by which, with the files of its head."""
    files: list[str] | None = None
    for line in PAGE.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split(" | ")]
        if not line.startswith("|"):
            files = None
        elif len(cells) == 3 and cells[2].startswith("shown by"):
            files = LINK.findall(cells[2])
        elif files is not None and not line.startswith("|---"):
            yield cells[-1], files


def citations() -> Iterator[tuple[str, tuple[str, ...]]]:
    """Every phrase with the files that its test may be in."""
    for cell, of_head in rows():
        before, *linked = LINK.split(NO_TEST.sub("", cell))
        for files, text in [
            (tuple(of_head), before),
            *(((f,), t) for f, t in zip(linked[::2], linked[1::2], strict=True)),
        ]:
            for phrase in re.split(r"[;,]|property:|: ", text):
                if plain(phrase) not in {"", "the same", "and"}:
                    yield phrase.strip(), files


@pytest.mark.parametrize(("phrase", "files"), sorted(set(citations())))
def test_what_is_cited_is_in_the_name_of_a_test_of_that_file(phrase: str, files: tuple[str, ...]) -> None:
    parts = [plain(part) for part in phrase.split("…") if plain(part)]
    known = [name for file in files or ("../services/control-gateway/tests",) for name in names(ROOT / "docs" / file)]
    assert any(all(part in name for part in parts) for name in known), f"no test in {files} is named {phrase!r}"


def test_no_other_hazard_is_without_a_test() -> None:
    assert {italics for cell, _files in rows() for italics in NO_TEST.findall(cell)} == ITALICS
    assert all(cell for cell, _files in rows()), "a hazard that is shown by nothing says so"


def test_every_file_that_the_page_names_is_there() -> None:
    missing = [
        link for link in LINK.findall(PAGE) if not link.startswith("http") and not (ROOT / "docs" / link).exists()
    ]
    assert missing == []


def test_the_tables_are_found() -> None:
    assert len(set(citations())) > 50
