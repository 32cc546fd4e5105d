"""Whether the server is there."""

from __future__ import annotations

from fastapi import APIRouter

from faast.serve.problems import RESPONSES

router = APIRouter(prefix="/v2/health", tags=["health"], responses=RESPONSES)


@router.get("/live")
@router.get("/ready")
async def health() -> dict[str, bool]:
    """Say that the server answers; it starts to listen when all memories are loaded."""
    return {"live": True}
