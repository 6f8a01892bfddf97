"""The documents lead somewhere, and their tables say what the code says."""

import re
from pathlib import Path

import pytest

from headworks.common.subjects import SUBJECTS, stream_subjects


def documents(root: Path) -> list[Path]:
    """Every Markdown file that people read."""
    return [*root.glob("*.md"), *root.glob("docs/**/*.md")]


def dead_links(file: Path) -> list[str]:
    """The links of a document to files that are not there."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", file.read_text(encoding="utf-8"))
    return [link for link in links if "://" not in link and not (file.parent / link).exists()]


def table_rows(text: str, heading: str) -> list[list[str]]:
    """The rows of the first table under a heading, cell by cell, without its head."""
    section = text.split(f"\n## {heading}\n")[1].split("\n## ", maxsplit=1)[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row] for row in rows[2:]]


def test_every_link_leads_to_a_file(root: Path, tmp_path: Path) -> None:
    assert {str(file.relative_to(root)): dead_links(file) for file in documents(root) if dead_links(file)} == {}
    (tmp_path / "page.md").write_text("[a](page.md) [b](gone.md#part) [c](https://example.org)")
    assert dead_links(tmp_path / "page.md") == ["gone.md"]


def test_the_table_of_the_bus_is_the_registry(root: Path) -> None:
    rows = table_rows((root / "docs/architecture.md").read_text(encoding="utf-8"), "The bus")
    told = {row[0].strip("`"): (row[1].split()[0], row[2]) for row in rows}
    kept = {
        stream.name: f"{stream.max_age.days} day{'s' if stream.max_age.days > 1 else ''}"
        for stream in stream_subjects()
    }
    known = {
        subject.pattern: (subject.stream.name, kept[subject.stream.name]) for subject in SUBJECTS if subject.stream
    }
    assert told == {**known, "dead.>": ("DEAD_LETTERS", kept["DEAD_LETTERS"])}
    hearers = {row[0].strip("`"): row[3] for row in rows}
    for subject in SUBJECTS:
        publishers, _, heard = hearers[subject.pattern].partition("→")
        assert all(name.replace("_", "-") in publishers for name in subject.publishers if name != "vendor"), subject
        others = [name.replace("_", "-") for name in subject.hearers if name not in {"vendor", *subject.publishers}]
        assert all(name in heard or "that publisher" in heard for name in others), subject


@pytest.mark.parametrize("form", ["milp", "mpc"])
def test_every_row_of_the_model_is_in_its_document(root: Path, form: str) -> None:
    golden = (root / f"services/optimizer/tests/models/golden/{form}.lp").read_text(encoding="utf-8")
    families = {re.sub(r"_\d+", "", name) for name in re.findall(r"^(\w+):", golden, re.MULTILINE)} - {"OBJ"}
    text = (root / "docs/models/afterbay.md").read_text(encoding="utf-8")
    missing = {family for family in families if f"`{family}" not in text}
    assert families
    assert missing == set()
