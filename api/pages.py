"""What browsers get: the portal, and the API's documentation. Everything is served from here, nothing from a CDN."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import FileResponse, RedirectResponse, Response

from api.envelope import reply
from api.health import VERSION

router = APIRouter(include_in_schema=False)

API_STATIC = Path(__file__).parent / "static"
PORTAL_STATIC = Path(__file__).parent.parent / "portal" / "static"

# A page is looked up anew each time and answered with 304 while it is the same.
_FRESH = {"Cache-Control": "no-cache"}


def wants_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")


@router.get("/")
async def home(request: Request) -> Response:
    index = PORTAL_STATIC / "index.html"
    if wants_html(request) and index.is_file():
        return FileResponse(index, headers={"Vary": "Accept"} | _FRESH)
    body: dict[str, object] = {
        "name": "Slipway",
        "version": VERSION,
        "documentation": "/docs",
        "openapi": "/openapi.json",
        "health": "/api/health",
    }
    return reply(request, body, headers={"Vary": "Accept"})


@router.get("/infrastructure/provisioning")
async def documented_page(request: Request) -> Response:
    """Where source 000 puts the portal's page (R475)."""
    return RedirectResponse("/", 307)


@router.get("/docs")
async def docs(request: Request) -> Response:
    return FileResponse(API_STATIC / "docs.html", headers=_FRESH)


@router.get("/redoc")
async def redoc(request: Request) -> Response:
    return RedirectResponse("/docs", 307)
