"""The built web client: hashed assets that browsers keep, and one page that they always ask for."""

from __future__ import annotations

from pathlib import Path

from starlette.responses import FileResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import Receive, Scope, Send

NOT_BUILT = "The web client is not built; run `make web`.\n"


class Assets(StaticFiles):
    """Files whose names hold their digest never change, so browsers need not ask again."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self.get_response(self.get_path(scope), scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        await response(scope, receive, send)


def web_routes(directory: Path) -> list[BaseRoute]:
    """Routes of the web client in `directory`; every path that is no file is one of its pages."""
    index = directory / "index.html"

    async def page(_request: object) -> Response:
        if not index.is_file():
            return PlainTextResponse(NOT_BUILT, status_code=503)
        return FileResponse(index, headers={"Cache-Control": "no-cache"})

    routes: list[BaseRoute] = []
    if (directory / "assets").is_dir():
        routes.append(Mount("/assets", Assets(directory=directory / "assets")))
    routes.append(Route("/{path:path}", page))
    return routes
