"""Writes what the APIs and the bus are, from the code: `python -m headworks.common.documents`, with --check only compares.

docs/openapi/<service>.json comes from each service's app; docs/asyncapi.json, and the vendors' part of it, from the bus registry.
A service names under the entry-point group `headworks.openapi` a function that gives its app without connecting to anything.
"""

import json
from collections.abc import Mapping
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Annotated

import typer
from fastapi import FastAPI

from headworks.common.asyncapi import asyncapi_document, vendor_document
from headworks.common.service import openapi_document

MEND = "make docs"


def documents() -> dict[Path, str]:
    """Every document's text by its path under docs/, the same for the same code."""
    apis = {Path("openapi", f"{name}.json"): openapi_document(app) for name, app in _apps().items()}
    buses = {Path("asyncapi.json"): asyncapi_document(), Path("vendors", "asyncapi.json"): vendor_document()}
    return {path: _text(content) for path, content in (apis | buses).items()}


def drifted(folder: Path, expected: Mapping[Path, str]) -> list[str]:
    """What is wrong with the documents in a folder, a plain sentence each; empty when they are current."""
    wrong = []
    for path, text in sorted(expected.items()):
        file = folder / path
        if not file.exists():
            wrong.append(f"{file} is missing")
        elif file.read_text(encoding="utf-8") != text:
            wrong.append(f"{file} is not what the code says")
    written = {folder / path for path in expected}
    wrong += [f"{file} belongs to no service" for file in sorted(folder.glob("openapi/*.json")) if file not in written]
    return wrong


def write(folder: Path, expected: Mapping[Path, str]) -> None:
    """Write every document; those that are current are not touched."""
    for path, text in expected.items():
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")


def _apps() -> dict[str, FastAPI]:
    entries = sorted(entry_points(group="headworks.openapi"), key=lambda entry: entry.name)
    return {entry.name: _app(entry) for entry in entries}


def _app(entry: EntryPoint) -> FastAPI:
    app = entry.load()()
    if not isinstance(app, FastAPI):
        raise TypeError(
            f"entry point {entry.name} = {entry.value} gave {app!r}; a function that gives a FastAPI app is right"
        )
    return app


def _text(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def main(
    folder: Annotated[Path, typer.Option(help="the docs folder")] = Path("docs"),
    check: Annotated[
        bool, typer.Option("--check", help="change nothing; exit with 1 when a document is not current")
    ] = False,
) -> None:
    """Write the OpenAPI and AsyncAPI documents, or say which have drifted from the code."""
    expected = documents()
    if not check:
        write(folder, expected)
        return
    wrong = drifted(folder, expected)
    for line in wrong:
        typer.echo(line)
    if wrong:
        typer.echo(f"Mend with: {MEND}")
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
