"""Changes of the classes of a learned model: rename, merge, aliases and their order."""

from __future__ import annotations

import warnings
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any, Self

import numpy as np

from faast.estimators.base import all_or_nothing
from faast.estimators.class_embeddings import ClassEmbeddings
from faast.estimators.class_memory import ClassMemory
from faast.estimators.class_names import Names, is_name, name_classes
from faast.estimators.class_record import ClassChange
from faast.estimators.explained import ExplainedClassifier
from faast.estimators.labels import as_labels, label_indices
from faast.estimators.settings import NAMED_CLASSES
from faast.estimators.targets import TargetKind, Targets, as_targets


class ChangingClassifier(ExplainedClassifier):
    """A classifier whose classes can be renamed, merged, aliased and ordered.

    The statistics change exactly: while all rows are held (see `is_exact_`), they are bit for bit
    those of a fit with the new labels. Every change is kept in `class_history_`. An error leaves
    everything as it was.
    """

    @all_or_nothing
    def rename_classes(self, labels: Mapping[Hashable, Any]) -> Self:
        """Give classes other labels; they keep their rows and the embeddings given for them.

        Parameters
        ----------
        labels : mapping of old label to new label
            Classes that are not in it keep their label.

        Raises
        ------
        ValueError
            If a label is no class, two classes would get the same label (see `merge_classes`), a
            new label is an alias of another class, or an indicator matrix was learned.
        """
        memory = self._labelled_memory()
        given = dict(zip(as_labels(list(labels)).tolist(), _listed(labels.values()), strict=True))
        given = {old: new for old, new in given.items() if not _same(old, new)}
        places = self._places(list(given))
        kept = set(memory.classes.tolist()) - set(given)
        for old, new in given.items():
            if new in kept or list(given.values()).count(new) > 1:
                raise ValueError(
                    f"two classes would get the same label {new!r}, among them {old!r}; to make "
                    "them one, use merge_classes (faast classes rename --merge)"
                )
        for (old, new), rows in zip(given.items(), memory.counts[places].tolist(), strict=True):
            self._record = self._record.append(ClassChange("rename", (old,), (new,), rows))
        return self._relabel(given)

    @all_or_nothing
    def merge_classes(self, labels: Iterable[Any], into: Any) -> Self:
        """Make several classes one.

        Parameters
        ----------
        labels : iterable of labels
            At least two with `into`; `into` may be one of them.
        into : label
            Label of the merged class: a new label, or a class, which is then merged too.
            Embeddings given for the classes are averaged.

        Raises
        ------
        ValueError
            If a label is no class, there is nothing to merge, `into` is an alias of another class,
            the classes have different class weights, or an indicator matrix was learned.
        """
        memory = self._single_label_memory()
        (label,) = _listed([into])
        merged = list(dict.fromkeys(_listed(labels)))
        places = self._places(merged)
        if label in memory.classes.tolist() and label not in merged:
            merged.append(label)
        if len(merged) < 2:
            raise ValueError(f"merging needs two classes, got {merged}; name another one")
        moved = [i for i, old in zip(places, merged, strict=False) if not _same(old, label)]
        change = ClassChange("merge", tuple(merged), (label,), float(memory.counts[moved].sum()))
        self._record = self._record.append(change)
        return self._relabel(dict.fromkeys(merged, label))

    @all_or_nothing
    def alias_classes(self, aliases: Mapping[Hashable, Any]) -> Self:
        """Let other labels stand for classes wherever labels are given, now and in later rows.

        Parameters
        ----------
        aliases : mapping of alias to class
            None instead of a class removes the alias.

        Raises
        ------
        ValueError
            If an alias is a class itself (see `merge_classes`), a label is no class, an alias to
            remove is none, or an indicator matrix was learned.
        """
        memory, known = self._labelled_memory(), dict(self._record.aliases)
        for alias, given in zip(_listed(aliases), aliases.values(), strict=True):
            if given is None:
                if known.pop(alias, None) is None:
                    raise ValueError(f"{alias!r} is no alias; the aliases are {list(known)}")
                self._record = self._record.append(ClassChange("alias", (alias,), (), 0))
                continue
            (label,) = _listed([given])
            self._places([label])
            if alias in memory.classes.tolist():
                raise ValueError(
                    f"{alias!r} is a class with rows or an embedding of its own; to make it one "
                    f"with {label!r}, use merge_classes (faast classes merge)"
                )
            known = {one: label if of == alias else of for one, of in known.items()}
            known[alias] = label
            self._record = self._record.append(ClassChange("alias", (alias,), (label,), 0))
        self._record = replace(self._record, aliases=known)
        return self

    @all_or_nothing
    def order_classes(self, labels: Iterable[Any]) -> Self:
        """Choose the order in which reports show the classes; see `report_order`.

        Parameters
        ----------
        labels : iterable of labels
            Classes to show first; the others follow, sorted. Empty for all sorted. `classes_` and
            the columns of probabilities stay sorted.

        Raises
        ------
        ValueError
            If a label is no class, or is named twice.
        """
        order = tuple(_listed(labels))
        self._places(order)
        if len(set(order)) < len(order):
            twice = next(label for label in order if order.count(label) > 1)
            raise ValueError(f"the order names {twice!r} twice; name each class once")
        change = ClassChange("order", (), order, 0)
        self._record = replace(self._record, order=order).append(change)
        return self

    @property
    def class_history_(self) -> tuple[ClassChange, ...]:
        """All changes of the classes since `fit`, the oldest first; saved with the model."""
        return self._record.history

    def clear_class_history(self) -> Self:
        """Empty `class_history_`, which may name labels that are gone; nothing else changes."""
        self._record = replace(self._record, history=())
        return self

    @property
    def class_aliases_(self) -> dict[Hashable, Hashable]:
        """Each alias and the class that it stands for."""
        return dict(self._record.aliases)

    def report_order(self, labels: Iterable[Hashable] | None = None) -> list[Hashable]:
        """Return labels, by default the classes, in the order of reports; see `order_classes`."""
        return self._record.arrange(self.classes_.tolist() if labels is None else labels)

    def embed_names(self, y: Any) -> Names:
        """Embed the names among labels; see `ClassNamesMixin.embed_names`."""
        return super().embed_names(self.resolve_labels(y))

    def resolve_labels(self, y: Any) -> Targets:
        """Return the targets that `fit` takes, with aliases replaced by their classes."""
        return as_targets(y, self.target_kind_).relabel(self._record.aliases)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy on rows; an alias counts as its class.

        Parameters
        ----------
        X, y, sample_weight
            See `fit`.

        Returns
        -------
        float
            In 0 to 1. A UserWarning says so where no label is a class of the model.
        """
        targets, classes = self.resolve_labels(y), self.classes_
        if len(targets.labels) and np.all(label_indices(targets.labels, classes) < 0):
            warnings.warn(
                f"no label is a class of the model: the labels are {_some(targets.labels)}, the "
                f"classes {_some(classes)}",
                stacklevel=2,
            )
        return super().score(X, targets, sample_weight)

    def _relabel(self, labels: Mapping[Hashable, Hashable]) -> Self:
        """Give classes other labels everywhere, and embed the new names if names are used."""
        memory = self._memory().relabel(labels)
        self._record = self._record.relabel(labels)
        declared = dict.fromkeys(labels.get(label, label) for label in self._declared())
        uses = self._uses_names()
        new = [new for new in labels.values() if new in declared or (uses and is_name(new))]
        names = self._embed(new) if new else {}
        self.class_weight = _relabelled_weights(self.class_weight, labels)
        if isinstance(self.class_embeddings, Mapping):
            given = ClassEmbeddings.from_mapping(self.class_embeddings)
            changed = None if given is None else given.relabel(labels)
            self.class_embeddings = {} if changed is None else changed.to_mapping()
        self.labels = list(declared)
        self.learned_ = self._name(memory, names)
        if self._last_fit is not None:
            rows, targets = self._last_fit
            self._last_fit = rows, targets.relabel(labels)
        return self

    def _name(self, memory: ClassMemory, names: Names) -> ClassMemory:
        """Return a memory with embeddings that were given, of declared classes, and of names."""
        if self._encoding() is None:
            return memory
        uses, given = self._uses_names(), self.class_embeddings
        known = {} if memory.embeddings is None else memory.embeddings.to_mapping()
        if uses:  # what was not given are names, which go with the last row of their class
            kept = as_labels(list(given)).tolist() if isinstance(given, Mapping) else []
        else:
            kept = list(known)
        return name_classes(memory, [*self._declared(), *kept], uses, names)

    def _labelled_memory(self) -> ClassMemory:
        memory = self._memory()
        if memory.kind is TargetKind.INDICATOR:
            raise ValueError("classes that are columns of an indicator matrix cannot be changed")
        return memory

    def _single_label_memory(self) -> ClassMemory:
        memory = self._labelled_memory()
        if memory.kind.several:
            raise ValueError(
                "classes can be merged and split where rows have one label each; this model "
                f"learned {memory.kind.description}, so learn the rows anew"
            )
        return memory

    def _places(self, labels: Iterable[Hashable]) -> list[int]:
        """Return the index of each class; raise ValueError for a label that is none."""
        classes = self.classes_.tolist()
        index = {label: i for i, label in enumerate(classes)}
        for label in labels:
            if label not in index:
                close = get_close_matches(str(label), map(str, classes), 1)
                raise ValueError(
                    f"{label!r} is no class of the model; "
                    + (f"did you mean {close[0]!r}?" if close else f"they are {_some(classes)}")
                )
        return [index[label] for label in labels]


def _listed(labels: Iterable[Any]) -> list[Hashable]:
    """Return labels as plain Python objects, each kind as it was given."""
    if isinstance(labels, str):
        raise TypeError(f"labels must be several, got one string; pass [{labels!r}]")
    return [as_labels([label]).tolist()[0] for label in labels]


def _same(left: Hashable, right: Hashable) -> bool:
    """Tell whether two labels are equal and of one kind: True and 1 are equal only."""
    return type(left) is type(right) and left == right


def _some(labels: Any) -> str:
    found = list(dict.fromkeys(labels.tolist() if isinstance(labels, np.ndarray) else labels))
    return ", ".join(map(repr, found[:NAMED_CLASSES])) + (", …" if found[NAMED_CLASSES:] else "")


def _relabelled_weights(class_weight: Any, labels: Mapping[Hashable, Hashable]) -> Any:
    """Return class weights by the new labels; raise ValueError if one label would get two."""
    if not isinstance(class_weight, Mapping):
        return class_weight
    weights: dict[Hashable, float] = {}
    given = dict.fromkeys(labels, 1.0) | dict(class_weight)
    for label, weight in given.items():
        new = labels.get(label, label)
        if weights.setdefault(new, weight) != weight:
            raise ValueError(
                f"classes that become {new!r} have the class weights {weights[new]:g} and "
                f"{weight:g}; set one class_weight for them first"
            )
    return weights
