"""Memories: made, taught, and let forget."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter
from pydantic import AfterValidator, BaseModel, Field

from faast.lm import MemoryConfig
from faast.serve.fields import Label, Request, require_visible
from faast.serve.memories.routes.dependencies import Folder, TheJobs, TheMemory
from faast.serve.memories.routes.jobs import JobAnswer
from faast.serve.memories.stored import StoredMemory
from faast.serve.problems import RESPONSES, RequestError
from faast.serve.routes.dependencies import Who

router = APIRouter(prefix="/v1/memories", tags=["memories"], responses=RESPONSES)

MAX_READ = 4_000_000
"""Characters that a text to read may have."""

Kind = Literal["natural", "pseudoinverse", "recall"]
"""How a memory learns, as the command line names it."""

LongText = Annotated[str, Field(max_length=MAX_READ), AfterValidator(require_visible)]


class NewMemory(Request):
    """A memory to make: how it learns, and whether it also recalls passages word for word.

    The kind `recall` does nothing else; the others do not recall unless it is asked for.
    """

    name: str
    kind: Kind = "natural"
    recall: bool | None = None


class NewText(Request):
    """A text to read, and whose it is; without `source` it gets one of its own."""

    text: LongText
    source: Label | None = None


class Source(Request):
    """A source to forget."""

    source: Label


class MemoryAnswer(BaseModel):
    """A memory; `state` is the hash of all that it has learned."""

    name: str
    kind: str
    recall: bool
    forgets: bool
    tokens: int
    bytes: int
    state: str

    @classmethod
    def of(cls, memory: StoredMemory) -> MemoryAnswer:
        """Build from a memory."""
        about = memory.about
        return cls(
            name=memory.name,
            kind=about.config.kind,
            recall=about.config.recall,
            forgets=about.config.forgets,
            tokens=about.tokens,
            bytes=about.nbytes,
            state=about.state,
        )


class MemoriesAnswer(BaseModel):
    """All memories, and why folders are not served."""

    memories: list[MemoryAnswer]
    unserved: dict[str, str]


class Forgotten(BaseModel):
    """What was forgotten, and the hash of the memory before and after."""

    source: str
    texts: int
    state_before: str
    state: str


@router.get("")
def list_memories(folder: Folder) -> MemoriesAnswer:
    """List the memories."""
    found = [MemoryAnswer.of(memory) for memory in folder.memories]
    return MemoriesAnswer(memories=found, unserved=folder.unserved)


@router.post("", status_code=201)
def create_memory(body: NewMemory, folder: Folder) -> MemoryAnswer:
    """Make a memory that has learned nothing yet."""
    if body.kind == "recall" and body.recall is False:
        raise RequestError(422, "a memory of the kind 'recall' recalls; leave recall out")
    config = MemoryConfig.of_kind(body.kind, recall=bool(body.recall))
    return MemoryAnswer.of(folder.create(body.name, config))


@router.get("/{memory}")
def show_memory(memory: TheMemory) -> MemoryAnswer:
    """Show a memory."""
    return MemoryAnswer.of(memory)


@router.delete("/{memory}", status_code=204)
def delete_memory(memory: str, folder: Folder) -> None:
    """Delete a memory with all that it has read."""
    folder.delete(memory)


@router.post("/{memory}/read", status_code=202)
def read_text(memory: TheMemory, body: NewText, jobs: TheJobs, who: Who) -> JobAnswer:
    """Teach a text. It is on the disk when the answer comes; a job then reads it.

    `source` in the answer is the name by which the text can be forgotten.
    """
    return JobAnswer.of(jobs.submit(memory.name, body.text, body.source, who))


@router.get("/{memory}/sources")
def list_sources(memory: TheMemory) -> dict[str, int]:
    """Count the texts of each source that were read to their end."""
    return memory.sources()


@router.post("/{memory}/forget-source")
def forget_source(memory: TheMemory, body: Source) -> Forgotten:
    """Forget all texts of a source exactly, as if they had never been read, and erase them.

    Memories of the kind 'pseudoinverse' and of recall alone can; others answer 409. A text that was
    taught without a source has one of its own, which the answer to its reading names.
    """
    before = memory.about.state
    texts = memory.forget(body.source)
    return Forgotten(source=body.source, texts=texts, state_before=before, state=memory.about.state)
