"""A memory on the disk: its file, the log beside it, and how one leads to the other."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from transformers.utils import CONFIG_NAME

from faast.core.atomic_files import remove_leftovers, sync_folder
from faast.lm import memory_folder
from faast.lm.documents import WINDOW, pad_documents, split_document, text_document
from faast.lm.folders import LOG_SUFFIX, MEMORY_FILE
from faast.serve.database import answer_unwritten, remove_database
from faast.serve.jobs.job import Status
from faast.serve.memories.log import Read, ReadLog, create_log
from faast.serve.problems import RequestError

if TYPE_CHECKING:
    from faast.lm import FaastForCausalLM
    from faast.lm.batch import TokenBatch
    from faast.serve.memories.attached import AttachedMemories, MemoryFacts
    from faast.serve.memories.backbone import ServedBackbone


BATCH_ROWS = 4
"""Windows of a forward pass."""

SNAPSHOT_SECONDS = 10.0
"""Seconds of reading after which the file is written anew: a start never repeats much more."""


class Interrupted(Exception):  # noqa: N818 - a signal, not an error
    """Raised while a text is read that is no longer to be learned."""


class StoredMemory:
    """A memory of a folder, which changes by reading texts and by forgetting them.

    A text is learned whole or not at all. It is in the log, on the disk, before its reading is
    acknowledged; what a crash interrupts is read by the next start.

    Parameters
    ----------
    folder : Path
    name : str
        The memory is in the folder NAME, its log is NAME.memory-log. A log is made with the first
        text.
    attached : AttachedMemories
    backbone : ServedBackbone

    Raises
    ------
    ValueError
        If a file is damaged, or the two do not belong together.
    """

    def __init__(
        self, folder: Path, name: str, attached: AttachedMemories, backbone: ServedBackbone
    ) -> None:
        self.name = name
        self._folder = folder / name
        self._log_path = folder / f"{name}{LOG_SUFFIX}"
        self._attached = attached
        self._backbone = backbone
        self._opening, self._changing = Lock(), Lock()
        self._unsaved = 0.0
        self._log: ReadLog | None = None
        if self._log_path.exists():
            self._log = ReadLog(self._log_path)
            try:
                self._replay(self._log)
            except BaseException:
                self._log.close()
                if name in attached:
                    attached.remove(name)
                raise
        else:
            attached.attach(name, memory_folder.read(self._folder))

    @property
    def about(self) -> MemoryFacts:
        """What is known about what was learned; raises a RequestError if it was deleted."""
        return self._attached.describe(self.name)

    def add(self, text: str, source: str | None, who: str | None) -> Read:
        """Acknowledge a text that is to be read; raises a RequestError if it cannot be written."""
        with answer_unwritten(), self._opening:
            if self.name not in self._attached:
                raise RequestError(404, f"the memory {self.name!r} was deleted")
            if self._log is None:
                create_log(self._log_path, self.about.config, self.about.state)
                self._log = ReadLog(self._log_path)
            return self._log.add(text, source, who)

    def learn(self, id: str, told: Callable[[int, int], None]) -> None:
        """Learn an acknowledged text.

        Parameters
        ----------
        id : str
        told : callable
            Given the number of tokens that were read, and of all, after each forward pass. What
            it raises ends the reading, and nothing of the text is learned.

        Raises
        ------
        Interrupted
            The text was cancelled.
        ValueError
            It holds nothing to learn, or the model cannot read it.
        OSError, sqlite3.Error
            The change could not be written.
        """
        log = self._the_log
        batches = self._batches(log.text(id))
        total = sum(batch.n_tokens for batch in batches)
        started = time.perf_counter()

        def commit(learned: MemoryFacts) -> None:
            if not log.learned(id, total, learned.state):
                raise Interrupted

        with self._changing:
            with self._attached.changing(self.name, commit) as model:
                done = 0
                for batch in batches:
                    told(done, total)
                    self._learn(model, batch)
                    done += batch.n_tokens
                told(done, total)
            self._unsaved += time.perf_counter() - started
            if self._unsaved > SNAPSHOT_SECONDS:
                with suppress(OSError):  # the log has everything
                    self.snapshot()

    def forget(self, source: str) -> int:
        """Forget all texts of a source, as if they had never been read, and erase them.

        Returns
        -------
        int
            Number of texts, with those that were forgotten before and could not be erased.

        Raises
        ------
        RequestError
            The memory cannot forget, still reads a text, or has none of this source; or the texts
            are forgotten and could not be erased.
        """
        if not self.about.config.forgets:
            raise RequestError(
                409,
                f"the memory {self.name!r} cannot forget a part of what it has read; memories of "
                "the kinds 'pseudoinverse' and 'recall' can. Delete this one, or teach one of "
                "those kinds",
            )
        self._require_idle()
        with answer_unwritten(), self._changing:
            log = self._log
            texts = [] if log is None else log.texts_of(source)
            n_erasing = 0 if log is None else log.count_erasing(source)
            if log is None or not (texts or n_erasing):
                raise RequestError(404, f"no text has the source {source!r}; see the sources")

            def commit(learned: MemoryFacts) -> None:
                log.forgotten(source, learned.state)

            if texts:
                with self._attached.changing(self.name, commit) as model:
                    self._unlearn(model, texts)
            try:
                self._erase(log)
            except (sqlite3.Error, OSError) as error:
                raise RequestError(
                    507,
                    "the texts are forgotten, but what the log holds of them could not be erased "
                    f"yet ({error}). Make room on the disk and ask again; the next start does it "
                    "too",
                ) from error
        return len(texts) + n_erasing

    def end(self, id: str, status: Status, detail: str | None) -> bool:
        """End a text that is not to be learned; return False if it had ended before."""
        with answer_unwritten():
            return self._the_log.end(id, status, detail)

    def read(self, id: str) -> Read | None:
        """Return what is known about a text."""
        return None if self._log is None else self._log.read(id)

    def reads(self, limit: int) -> list[Read]:
        """Return texts that wait, and the latest that ended."""
        return [] if self._log is None else self._log.reads(limit)

    def sources(self) -> dict[str, int]:
        """Return the number of learned texts of each source."""
        return {} if self._log is None else self._log.sources()

    def snapshot(self) -> None:
        """Write the memory to its file, from which the next start goes on."""
        if not self._folder.exists():
            self._folder.mkdir()
            sync_folder(self._folder.parent)
        memory_folder.write(self._attached.content(self.name), self._folder)
        self._unsaved = 0.0

    def close(self) -> None:
        """Write the memory if it changed, and close its log."""
        with self._changing:
            if self._unsaved:
                with suppress(OSError):  # the log has everything
                    self.snapshot()
            if self._log is not None:
                self._log.close()

    def delete(self) -> None:
        """Delete the memory with its files: the log first, so that nothing is read again."""
        self._require_idle()
        with answer_unwritten(), self._changing, self._opening:
            self._require_idle()  # a text may have come meanwhile
            if self._log is not None:
                self._log.close()
                self._log = None
            remove_database(self._log_path)
            for file in (self._folder / MEMORY_FILE, self._folder / CONFIG_NAME):
                remove_leftovers(file)
                file.unlink(missing_ok=True)
            with suppress(OSError):  # somebody keeps notes there
                self._folder.rmdir()
            sync_folder(self._folder.parent)
            self._attached.remove(self.name)

    @property
    def _the_log(self) -> ReadLog:
        if self._log is None:
            raise RequestError(404, f"the memory {self.name!r} has read no text, or was deleted")
        return self._log

    def _require_idle(self) -> None:
        if any(not read.ended for read in self.reads(0)):
            raise RequestError(
                409,
                f"the memory {self.name!r} is not at the end of a text; wait until it is, or "
                "cancel the job",
            )

    def _replay(self, log: ReadLog) -> None:
        """Attach the memory as its file has it, and change it as the log says."""
        if (self._folder / MEMORY_FILE).exists():
            self._attached.attach(self.name, memory_folder.read(self._folder))
        else:
            self._attached.create(self.name, log.config)
        start = log.number_of(self.about.state)
        if start is None:
            raise ValueError(
                f"{MEMORY_FILE} is in no state that {self._log_path.name} knows: it was changed by "
                "another program, or is older than a forgotten source. Restore both from one "
                "time, or move the log away to start anew from the file"
            )
        for learned, forgotten in log.changes_after(start):
            with self._attached.changing(self.name) as model:
                for text in learned:
                    for batch in self._batches(text):
                        self._learn(model, batch)
                self._unlearn(model, forgotten)
            self._unsaved = SNAPSHOT_SECONDS
        with suppress(OSError, sqlite3.Error):  # a full disk must not keep it from answering
            if self.about.state != log.last()[1]:  # other numbers of threads round differently
                log.restate(self.about.state)
            self._erase(log)

    def _learn(self, model: FaastForCausalLM, batch: TokenBatch) -> None:
        with self._attached.passes.running():
            model.learn(**batch.to(model.device)._asdict())

    def _unlearn(self, model: FaastForCausalLM, texts: Iterable[str]) -> None:
        for text in texts:
            for batch in self._batches(text):
                with self._attached.passes.running():
                    model.forget(**batch.to(model.device)._asdict())

    def _erase(self, log: ReadLog) -> None:
        """Erase what is to be erased, once the file no longer needs it."""
        if log.is_erasing:
            self.snapshot()
            log.erase()

    def _batches(self, text: str) -> list[TokenBatch]:
        """Return the forward passes that read a text; the same text has the same ones always."""
        length = min(WINDOW, self._backbone.longest)
        windows = split_document(text_document(self._backbone.tokenizer, text), length)
        if not windows:
            raise ValueError("the text holds nothing to learn: it needs two tokens")
        return list(pad_documents(windows, BATCH_ROWS))
