"""The page's files: how to build is said where they are not, the built ones may be kept, nothing else is given."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from headworks.dashboard.pages import add_pages


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "secret.txt").write_text("not to be given")
    return tmp_path / "static"


@pytest.fixture
async def client(folder: Path) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    add_pages(app, folder)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://dashboard") as made:
        yield made


async def test_without_a_build_the_page_says_how_to_make_it(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.status_code == 503
    assert "make web" in answer.text


async def test_a_build_is_served_as_soon_as_it_is_there(client: httpx.AsyncClient, folder: Path) -> None:
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text("<title>Headworks</title>")
    (folder / "assets" / "index-abc.js").write_text("1")
    page = await client.get("/")
    assert page.status_code == 200
    assert page.headers["cache-control"] == "no-cache"
    script = await client.get("/assets/index-abc.js")
    assert script.status_code == 200
    assert "immutable" in script.headers["cache-control"]


async def test_what_is_not_a_built_file_is_not_given(client: httpx.AsyncClient, folder: Path) -> None:
    (folder / "assets").mkdir(parents=True)
    for path in (
        "/assets/nothing.js",
        "/assets/..%2f..%2fsecret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/secret.txt",
    ):
        assert (await client.get(path)).status_code == 404, path
