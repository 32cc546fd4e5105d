"""FaastClassifier: closed-form classification that learns, forgets, merges and grows classes."""

from __future__ import annotations

import copy
import os
from collections.abc import Hashable, Mapping, Sequence
from typing import Any, Self

from sklearn.utils import Tags

from faast._utils.arrays import AnyArray
from faast._utils.validation import warn_light_rows
from faast.core.statistics import Statistics
from faast.encoders import Encoder
from faast.estimators.base import all_or_nothing
from faast.estimators.class_memory import ClassMemory
from faast.estimators.class_names import Names, require_embeddings
from faast.estimators.class_record import ClassRecord
from faast.estimators.curation import CuratedClassifier
from faast.estimators.labels import as_labels, check_embeddings
from faast.estimators.memory import SELECTION_ROWS, check_capacity
from faast.estimators.settings import check_settings, require_one_label, require_weighted_classes
from faast.estimators.targets import TargetKind, Targets, as_targets
from faast.solvers import Solver, as_solver


class FaastClassifier(CuratedClassifier):
    """Closed-form classifier of frozen features, or of raw rows through a frozen encoder.

    Rows are learned in one pass; the result does not depend on their order and batching. Any
    `partial_fit` may bring new classes. Forgetting rows leaves the state as if they had never been
    seen.

    Rows may have several labels: lists or sets of labels, or an indicator matrix. Then each label
    has a calibrated probability, and is answered above a threshold of its own. It is the one of the
    best F1 that leave-one-out probabilities expect; for a label of n rows it is averaged, n to 1,
    with the one that is best for all labels together. See `faast.solvers.several`.

    Parameters
    ----------
    solver : "auto" or Solver
        "auto" chooses its settings by leave-one-out, so that nothing has to be tuned.
    class_embeddings : mapping of label to vector, or ndarray of shape (C, d), optional
        What the frozen model knows of each class (zero-shot). Embeddings are weighed against the
        rows and count less as rows arrive. Their labels are classes even before any row is
        learned. The rows of an array belong to the sorted labels of the first rows learned.
    class_weight : "balanced" or mapping of label to float, optional
        "balanced" treats all classes as equally frequent. A mapping multiplies the sample weights
        when rows are learned. Its keys must be classes of the rows that `fit` learns; a class that
        only `partial_fit` brings is weighted from then on.
    novelty : bool
        Whether to measure what `novelty_score` needs.
    encoder : str or Encoder, optional
        Encodes raw rows: a name for `load_encoder`, or an encoder. None if rows are features.
    labels : sequence of str
        Names of classes that can be predicted before any of their rows is learned, by the
        encoder's embedding of the name.
    class_names : bool, optional
        Whether to use the embeddings of the names of learned classes too, beside their rows. By
        default True if the encoder is semantic, that is, embeds a name near the rows of its class.
        Names are labels that contain a letter.
    cache : path-like, optional
        Folder that keeps the features of learned rows. Forgetting raw rows needs it if the encoder
        gives slightly different features in another batch; see `CachedEncoder`.
    prior_count : float, optional
        The paper's N0, for `class_embeddings` with a solver other than "auto": a prediction comes
        by a share of N / (N0 + N) from the N rows, and otherwise from the embeddings. 40 per class
        by default. "auto" ignores it and fits the share to the rows.
    selection_rows : int
        Rows kept to select settings; see `AssociativeMemory`. With "auto", up to 12,288 rows of at
        most 1,024 features are kept as they are, and more of them rounded for random features.
    key_scale : float or ndarray, optional
        Powers of two; see `Moments`. Set it if rows have norms above 2 and models are to be merged,
        or are to have the same bits in any order of rows.
    verbose : bool
        Show a progress bar on the terminal while rows are encoded.

    Attributes
    ----------
    learned_ : ClassMemory or None
        None after `compact`.
    classes_ : ndarray of shape (C,)
        Sorted labels, see `faast.estimators.labels`; for an indicator matrix the names of its
        columns, or their numbers.
    temperature_ : float
        Scores are divided by it before the softmax.
    weights_ : FastWeights
        Linear map from features to scores.
    n_features_in_ : int
        Number of columns of the features.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from faast import FaastClassifier
    >>> X, y = load_digits(return_X_y=True)
    >>> model = FaastClassifier().fit(X[:900] / 64, y[:900])
    >>> model.partial_fit(X[900:1200] / 64, y[900:1200]).forget(X[:100] / 64, y[:100])
    FaastClassifier()
    >>> bool(model.score(X[1200:] / 64, y[1200:]) > 0.9)
    True
    """

    def __init__(
        self,
        solver: Solver | str = "auto",
        class_embeddings: AnyArray | Mapping[Hashable, AnyArray] | None = None,
        class_weight: Mapping[Hashable, float] | str | None = None,
        novelty: bool = False,
        *,
        encoder: str | Encoder | None = None,
        labels: Sequence[str] = (),
        class_names: bool | None = None,
        cache: str | os.PathLike[str] | None = None,
        prior_count: float | None = None,
        selection_rows: int = SELECTION_ROWS,
        key_scale: float | AnyArray | None = None,
        verbose: bool = False,
    ) -> None:
        self.solver = solver
        self.class_embeddings = class_embeddings
        self.class_weight = class_weight
        self.novelty = novelty
        self.encoder = encoder
        self.labels = labels
        self.class_names = class_names
        self.cache = cache
        self.prior_count = prior_count
        self.selection_rows = selection_rows
        self.key_scale = key_scale
        self.verbose = verbose

    @all_or_nothing
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget everything, then learn rows.

        Parameters
        ----------
        X : array-like of shape (n, d), any real dtype; with an encoder, n raw rows
        y : array-like of shape (n,)
            n labels; or n lists or sets of labels, which may be empty; or an indicator matrix of
            shape (n, C). See `faast.estimators.targets.as_targets`.
        sample_weight : array-like of shape (n,), optional
            A weight of w counts as w copies of the row; their mean should be about 1.

        Raises
        ------
        TypeError, ValueError
            If shapes or types are wrong, a row holds NaN or inf or cannot be encoded, or a class
            weight belongs to a label that is no class.
        """
        self._reference = self._use_names = None
        X, targets, self._record = self.encode_to_learn(X), as_targets(y), ClassRecord()
        require_weighted_classes(self.class_weight, targets, self._announced())
        self._learn(X, targets, sample_weight, self.embed_names(targets), first=True)
        warn_light_rows(sample_weight, len(self.classes_))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Learn more rows, of known or new classes.

        Parameters
        ----------
        X, y, sample_weight
            See `fit`; errors as there. Targets must be of the kind that was learned.
        classes : array-like, optional
            Ignored. scikit-learn passes it, but classes need not be announced here.
        """
        targets = self.resolve_labels(y)
        names = self.embed_names(targets)
        return self.partial_fit_encoded(self.encode_to_learn(X), targets, names, sample_weight)

    @all_or_nothing
    def partial_fit_encoded(
        self, X: Any, y: Any, names: Names | None = None, sample_weight: Any = None
    ) -> Self:
        """Learn rows that `encode_to_learn` returned, with names that `embed_names` returned."""
        first = not hasattr(self, "learned_")
        targets = as_targets(y, self.target_kind_)
        self._learn(X, targets, sample_weight, names or {}, first=first)
        return self

    @all_or_nothing
    def forget(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Forget rows that were learned, as if they had never been seen.

        A class whose last row is forgotten is dropped, unless it was declared in `labels`. While
        all rows are held (see `selection_rows`), the state is bit for bit what it would be if the
        rows had never been learned. Beyond that, this holds for the moments, but the sample of rows
        for selection is smaller than a new one would be.

        Parameters
        ----------
        X, y, sample_weight
            The rows as they were learned; see `fit`.

        Raises
        ------
        RowsNotLearnedError
            If the features that a raw row was learned with are not known.
        ValueError
            If rows were not learned. While all rows are held, every such row is found; beyond that
            only rows that would make a count or a sum of squares negative. Others cannot be
            detected and silently corrupt the model.
        """
        targets = as_targets(y, self.target_kind_)
        checked = self._checked(self._recall(X), targets, sample_weight, first=False)
        self.learned_ = self._name(self._memory().forget(*checked), {})
        return self

    @all_or_nothing
    def merge(self, other: FaastClassifier) -> Self:
        """Learn everything another classifier has learned; the classes are united.

        Raises
        ------
        ValueError
            If the two differ in encoder, columns, use of class names, widths, scales or kind of
            targets.
        """
        self._require_mergeable(other)
        theirs = other._memory() if other.is_fitted else None
        self._record = record = self._record.unite(other._record)
        declared = as_labels([*dict.fromkeys([*self.labels, *other.labels])])
        self.labels = tuple(dict.fromkeys(record.resolve(declared).tolist()))
        if theirs is None:
            return self
        if not self.is_fitted:
            self._copy_features(other)
            self._reference, self._use_names = other._reference, other._use_names
            memory = theirs
        else:
            memory = self._memory().merge(theirs)
            self._copy_feature_names(other)
        memory = memory.relabel(record.aliases)
        self.learned_ = self._name(memory, other._known_names())
        return self

    def on_features(self) -> FaastClassifier:
        """Return an equal classifier that takes features, as `encode` returns them, not raw rows.

        It shares what was learned so far, and does not change when this one learns more.
        """
        if self._encoding() is None:
            return self
        twin = FaastClassifier(
            self.solver,
            None,
            self.class_weight,
            self.novelty,
            prior_count=self.prior_count,
            selection_rows=self.selection_rows,
            key_scale=self.key_scale,
        )
        if self.is_fitted:
            twin.learned_, twin._compact_head = self._memory_or_none(), self._compact_head
            twin._record = self._record
            twin._copy_features(self)
        return twin

    def with_learned(self, twin: FaastClassifier) -> Self:
        """Return an equal classifier that has learned what another one has, on features.

        Parameters
        ----------
        twin : FaastClassifier
            What `on_features` returned, after it learned, forgot or changed classes; its features
            must be those of the encoder. See `partial_fit` for rows that were not encoded yet.
        """
        model = copy.copy(self)
        model.__dict__.pop("learned_", None)
        model._record, model.class_weight = twin._record, twin.class_weight
        if twin.is_fitted:
            model.learned_, model._compact_head = twin._memory_or_none(), twin._compact_head
            model.n_features_in_ = twin.n_features_in_
        return model

    @all_or_nothing
    def learn_statistics(
        self, classes: AnyArray, statistics: Statistics, kind: TargetKind = TargetKind.LABEL
    ) -> Self:
        """Learn rows from their statistics, which have one column of values per class.

        Parameters
        ----------
        classes : ndarray of shape (C,)
            Sorted labels; see `ClassMemory`.
        statistics : Statistics
            ValueError is raised if their widths or scales do not fit.
        kind : TargetKind
        """
        self.n_features_in_ = statistics.moments.n_features
        memory = self._memory() if self.is_fitted else self._begin(kind, classes)
        part = ClassMemory(classes, kind, memory.capacity, memory.maps, statistics=statistics)
        united = memory.merge(part).relabel(self._record.aliases)
        names = {} if kind.several else self.embed_names(classes)
        self.learned_ = self._name(united, names)
        return self

    def _learn(
        self, X: Any, targets: Targets, sample_weight: Any, names: Names, *, first: bool
    ) -> None:
        X, targets, weights = self._checked(X, targets, sample_weight, first=first)
        if first and not len(X) and self.class_embeddings is None and not self.labels:
            raise ValueError("fit needs at least one row with a weight above zero")
        memory = self._begin(targets.kind, targets.labels) if first else self._memory()
        self.learned_ = self._name(memory.learn(X, targets, weights), names)
        if first:
            self._last_fit = (X.copy(), targets) if len(X) <= self.selection_rows else None

    def _announced(self) -> list[Hashable]:
        """Return the labels that are classes before any row is learned."""
        named = self.class_embeddings if isinstance(self.class_embeddings, Mapping) else {}
        return [*self.labels, *named]

    def _begin(self, kind: TargetKind, labels: AnyArray) -> ClassMemory:
        """Return a memory without rows, for targets of a kind; labels (C,) are those to come."""
        check_settings(self)
        if kind.several:
            require_one_label(self, kind)
        solver = as_solver(self.solver)
        embeddings = check_embeddings(self.class_embeddings, labels, self.n_features_in_) or {}
        embeddings = embeddings | self._embed(self._declared())
        require_embeddings(self._declared(), embeddings)
        return ClassMemory.empty(
            kind,
            check_capacity(self.selection_rows),
            solver.maps_features and not kind.several,
            self.key_scale,
            embeddings,
        )

    def _require_mergeable(self, other: FaastClassifier) -> None:
        if not isinstance(other, FaastClassifier):
            raise ValueError(f"cannot merge a classifier with a {type(other).__name__}")
        self._require_same_encoder(other)
        self._require_same_features(other)
        mine, theirs = self._uses_names(), other._uses_names()
        if mine != theirs:
            raise ValueError(
                "only models alike in class_names can be merged: class_names is "
                f"{mine!r} here and {theirs!r} there"
            )

    def __sklearn_tags__(self) -> Tags:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags
