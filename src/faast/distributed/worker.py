"""What runs on Ray's workers: an encoder that learns parts, and merges of what they left."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import clone

from faast._utils.arrays import AnyArray
from faast.distributed.checkpoint import Partial, SavedPartials, Span
from faast.distributed.encoding import encode_batches
from faast.distributed.partitions import Part
from faast.estimators import FaastClassifier
from faast.estimators.encoder_reference import OpenedEncoder


class Worker:
    """Learns parts; as an actor it opens the encoder once.

    Parameters
    ----------
    opened : OpenedEncoder or None
        None where rows are features already.
    classifier : FaastClassifier
        Settings; not fitted.
    begun : Partial or None
        A state without rows whose grid is to be used.
    saved : SavedPartials or None
        Where to keep what a part has left.
    """

    def __init__(
        self,
        opened: OpenedEncoder | None,
        classifier: FaastClassifier,
        begun: Partial | None = None,
        saved: SavedPartials | None = None,
    ) -> None:
        self.opened, self.classifier, self.begun, self.saved = opened, classifier, begun, saved

    def learn(self, part: Part) -> tuple[int, Partial]:
        """Learn a part from nothing; return its index, as a receipt, and what its rows leave."""
        classifier = clone(self.classifier)
        if self.begun is not None:
            self.begun.into(classifier)
        for features, labels in encode_batches(part.batches, self._encode):
            classifier.partial_fit(features, labels)
        partial = Partial.of(classifier)
        if self.saved is not None:
            self.saved.save(partial, Span(part.index, part.index + 1))
        return part.index, partial

    def _encode(self, rows: Sequence[Any]) -> AnyArray:
        return np.asarray(rows) if self.opened is None else self.opened.encoder.encode(rows)


def merge(left: Partial, right: Partial, span: Span, saved: SavedPartials | None) -> Partial:
    """Add up what neighbouring parts have left; `span` covers both."""
    both = left.plus(right)
    if saved is not None:
        saved.save(both, span)
    return both
