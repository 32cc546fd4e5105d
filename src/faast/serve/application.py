"""Applications whose every route is authorized, with an OpenAPI document that says so."""

from __future__ import annotations

from typing import Any

from fastapi import Depends, FastAPI

from faast._version import __version__
from faast.serve.access.scopes import authorize

SCHEMES = {
    "HTTPBearer": {"type": "http", "scheme": "bearer"},
    "HTTPBasic": {"type": "http", "scheme": "basic"},
}


class Application(FastAPI):
    """FastAPI that authorizes every request, and names the schemes of tokens once.

    As dependencies, FastAPI would call each scheme for every request.

    Parameters
    ----------
    title, description : str
    lifespan : context manager of the application
    """

    def __init__(self, title: str, description: str, lifespan: Any) -> None:
        super().__init__(
            title=title,
            version=__version__,
            description=description,
            docs_url=None,  # they load scripts from another site
            redoc_url=None,
            redirect_slashes=False,  # an address with a slash too many names nothing
            lifespan=lifespan,
            dependencies=[Depends(authorize)],
        )

    def openapi(self) -> dict[str, Any]:
        """Return the document."""
        document = super().openapi()
        document["components"]["securitySchemes"] = SCHEMES
        document["security"] = [{name: []} for name in SCHEMES]
        return document
