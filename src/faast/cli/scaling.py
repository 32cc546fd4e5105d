"""`faast learn --ray`: rows learned by the workers of a cluster."""

from __future__ import annotations

from pathlib import Path

from faast.cli.learner import Learner
from faast.cli.reading import batches
from faast.data import RowSource
from faast.distributed.files import describe_file
from faast.distributed.parts import PART_ROWS, cut
from faast.distributed.running import describe_run, learn_parts
from faast.distributed.saved import SavedPartials
from faast.distributed.session import session


def learn_on_ray(learner: Learner, source: RowSource, address: str, resume: Path | None) -> None:
    """Let a model without rows learn a source on Ray; see `faast.distributed.learn_dataset`.

    Raises
    ------
    ValueError
        `resume` belongs to another run, or the rows cannot be read a second time.
    """
    saved = None
    if resume is not None:
        if not Path(source.name).exists():
            raise ValueError(f"{source.name} cannot be read again; leave --resume out")
        columns = source.modality, source.row_column, source.label_column, source.on_error
        rows = describe_file(source.name)
        run = describe_run(learner.model, PART_ROWS, rows=rows, columns=columns)
        saved = SavedPartials.open(resume, run)
    with session(address) as ray:
        parts = cut(batches(source, "Learning"), PART_ROWS)
        learn_parts(ray, learner.model, parts, saved=saved, progress=True)
