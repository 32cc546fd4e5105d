"""A classifier that says why: what an answer rests on, and what speaks for it in the row."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

import numpy as np

from faast._utils.arrays import AnyArray, FloatArray
from faast.data.images import read_images
from faast.estimators.base import COMPACTED
from faast.estimators.evidence import Evidence, Part, leave_out_words, mask_regions, parts_of
from faast.estimators.explanation import Explanation, explain
from faast.estimators.head import Head
from faast.estimators.labels import as_labels
from faast.estimators.memory_classifier import MemoryClassifier
from faast.estimators.novelty import Novelty
from faast.estimators.tables import rows_without_names


class ExplainedClassifier(MemoryClassifier):
    """A classifier that explains its answer for one row."""

    def explain(self, row: Any) -> Explanation:
        """Say what the answer for one row rests on; see also `evidence`.

        Parameters
        ----------
        row : array-like of shape (d,), a raw row, or a mapping of column names to values
            The entries of a Series are found by the names that were learned, if any were.

        Returns
        -------
        Explanation
        """
        memory, rows = self._memory(), self._one_row(row)
        with rows_without_names():
            features = self._features(rows)
        return explain(self._head(), self._head_without_names(), memory, features)

    def evidence(self, row: Any, label: Any = None, against: Any = None) -> Evidence:
        """Say which parts of one row speak for a label, and which for another.

        The parts are the words of a text, regions of an image, or columns of a table. They add up
        exactly where the score is a sum over them: for the encoder "hashing", and for columns
        unless random features are used. Elsewhere each part is left out in turn: a word is removed,
        a region gets the image's mean colour, a column its mean over the learned rows.

        Parameters
        ----------
        row : array-like of shape (d,), a raw row, or a mapping of column names to values
            The entries of a Series are found by the names that were learned, if any were.
        label : label, optional
            A class or an alias of one. By default the most probable class.
        against : label, optional
            By default the most probable other one. Ignored where rows may have several labels.

        Returns
        -------
        Evidence

        Raises
        ------
        ValueError
            If a label is no class, both are the same, there is only one class, or the model of a
            table was compacted.
        """
        head = self._head()
        rows = self._one_row(row)
        with rows_without_names():
            asked = self._features(rows)
        label, against = self._class_named(label), self._class_named(against)
        chosen = _two_labels(head, _log_odds(head, asked)[0], label, against)
        contrast = _Contrast(head, *chosen)
        labels = contrast.labels
        lead = float(contrast.lead_of(asked)[0])
        if self.modality == "features":
            parts = self._column_effects(asked[0], contrast)
            return Evidence.of(labels, lead, parts, exact=contrast.weights is not None)

        def lead_of(rows: list[Any]) -> FloatArray:
            return contrast.lead_of(self.encode(rows))

        (row,) = rows
        if self.modality == "image":
            (image,) = read_images([row], [0])
            regions = mask_regions(np.asarray(image), lead_of)
            side = int(np.sqrt(len(regions)))
            return Evidence.of(labels, lead, regions, exact=False, shape=(side, side))
        encoder = self.encoder_
        assert encoder is not None
        shares = None
        if contrast.weights is not None and not head.is_blank(asked)[0]:
            shares = encoder.share_out(row, contrast.weights)
        if shares is None:
            return Evidence.of(labels, lead, leave_out_words(row, lead_of), exact=False)
        return Evidence.of(labels, lead, [Part(*share) for share in shares], exact=True)

    def measure_novelty(self) -> Novelty:
        """Measure what scores how unusual rows are, also in a model without ``novelty=True``.

        The model stays as it is; it takes about as long as solving the weights.

        Returns
        -------
        Novelty

        Raises
        ------
        ValueError
            If rows may have several labels, or the model keeps no rows.
        """
        head = self._head()
        if head.novelty is not None:
            return head.novelty
        left_out = self._left_out()
        statistics, scores = left_out.memory.statistics, left_out.head.loo_scores
        assert statistics is not None
        assert scores is not None
        return Novelty.from_statistics(statistics, scores / left_out.head.temperature)

    def _class_named(self, label: Any) -> Any:
        """Return the class that a label stands for, which may be an alias; None for None."""
        return None if label is None else self._record.resolve(as_labels([label])).tolist()[0]

    def _column_effects(self, row: AnyArray, contrast: _Contrast) -> list[Part]:
        """Return the effect of each column, compared with its mean over the learned rows."""
        statistics = None if self._memory_or_none() is None else self.statistics_
        if statistics is None:
            raise ValueError(f"the means of the columns are not known: {COMPACTED}")
        means = statistics.moments.key_sum / statistics.moments.count
        if contrast.weights is not None:
            effects = (row - means) * contrast.weights
        else:
            without = np.tile(np.asarray(row, dtype=np.float64), (len(row) + 1, 1))
            np.fill_diagonal(without[1:], means)
            leads = contrast.lead_of(without)
            effects = leads[0] - leads[1:]
        return parts_of(getattr(self, "feature_names_in_", range(len(row))), effects)


class _Contrast:
    """The lead of one class over another: a difference of scores, in nats."""

    def __init__(self, head: Head, label: int, against: int | None) -> None:
        self._head, self._label, self._against = head, label, against

    @property
    def labels(self) -> tuple[Hashable, Hashable | None]:
        classes = self._head.classes.tolist()
        return classes[self._label], None if self._against is None else classes[self._against]

    @property
    def weights(self) -> FloatArray | None:
        """Weights (d,) of the features; None if random features of them are used too."""
        weights = self._head.weights
        return None if weights.mapped is not None else self._difference(weights.matrix)

    def lead_of(self, features: AnyArray) -> FloatArray:
        """Return the lead in rows (n, d), shape (n,)."""
        return self._difference(_log_odds(self._head, features))

    def _difference(self, columns: FloatArray) -> FloatArray:
        if self._against is None:
            return columns[:, self._label]
        return (columns[:, self._label] - columns[:, self._against]) / self._head.temperature


def _log_odds(head: Head, features: AnyArray) -> FloatArray:
    """Return scores (n, C); where rows may have several labels, the log-odds of each."""
    scores = head.score(features)
    return scores if head.thresholds is None else scores + head.thresholds


def _two_labels(head: Head, scores: FloatArray, label: Any, against: Any) -> tuple[int, int | None]:
    """Return the places of the label and of the other one among the classes."""
    order = np.argsort(-scores, kind="stable").tolist()
    chosen = order[0] if label is None else _place(head, label)
    if head.kind.several:
        return chosen, None
    if len(order) < 2:
        raise ValueError("there is only one class, so nothing speaks against its label")
    other = next(i for i in order if i != chosen) if against is None else _place(head, against)
    if other == chosen:
        raise ValueError(f"{label!r} cannot be compared with itself; name two different labels")
    return chosen, other


def _place(head: Head, label: Any) -> int:
    classes = head.classes.tolist()
    if label not in classes:
        raise ValueError(f"{label!r} is no class of the model; they are {classes[:8]}")
    return classes.index(label)
