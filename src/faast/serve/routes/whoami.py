"""Who the server takes a client for."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import BaseModel

from faast.serve.access.scopes import LOCAL, TheClient
from faast.serve.access.tokens import Scope
from faast.serve.problems import RESPONSES

router = APIRouter(prefix="/v1", tags=["access"], responses=RESPONSES)


class ClientAnswer(BaseModel):
    """The name and scope of the token; without a name where no token is needed."""

    name: str | None
    scope: Scope


@router.get("/whoami")
def whoami(client: TheClient) -> ClientAnswer:
    """Show the name and the scope of the token that was sent."""
    client = client or LOCAL
    return ClientAnswer(name=client.name, scope=client.scope)
