"""The built page and its files, served as they are; where the build is absent, a page that says how to make it."""

from pathlib import Path

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

STATIC = Path(__file__).parent / "static"
NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>Headworks: the page is not built</title>
<body style="font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem">
<h1>The page is not built</h1>
<p>The dashboard service runs, but its web page has not been built in this installation.</p>
<p>In a checkout, run <code>make web</code>, or in <code>services/dashboard/web</code>:</p>
<pre>npm ci\nnpm run build</pre>
<p>Then load this page again; the service need not be restarted.</p>
"""


class BuiltFiles(StaticFiles):
    """Files whose names hold their content's hash: a browser may keep them for good."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """The file."""
        response = await super().get_response(path, scope)
        if response.status_code == 200:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def add_pages(app: FastAPI, folder: Path = STATIC) -> None:
    """Serve the page at / and its files at /assets; they hold no data, so nobody need be signed in."""

    async def index(_request: Request) -> Response:
        page = folder / "index.html"
        if page.is_file():
            return FileResponse(page, headers={"Cache-Control": "no-cache"})
        return HTMLResponse(NOT_BUILT, status_code=503)

    app.add_route("/", index, include_in_schema=False)
    app.mount("/assets", BuiltFiles(directory=folder / "assets", check_dir=False))
