"""Class record: aliases of classes, their order in reports, and the history of their changes."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Annotated, Any, NamedTuple

from faast._utils.arrays import AnyArray
from faast.core.state import Json, Stored
from faast.estimators.labels import as_labels, describe_label, label_from

KINDS = ("rename", "merge", "split", "alias", "order")

Labels = tuple[Hashable, ...]


class ClassChange(NamedTuple):
    """One change of the classes.

    Attributes
    ----------
    kind : {"rename", "merge", "split", "alias", "order"}
    before : tuple of labels
        Labels that the change was made to: classes, or the alias.
    after : tuple of labels
        Labels that stand for them since; empty where an alias was removed.
    rows : float
        Number of learned rows (or sum of weights) that got another label.
    """

    kind: str
    before: Labels
    after: Labels
    rows: float

    def __str__(self) -> str:
        before, after = (", ".join(map(repr, labels)) for labels in (self.before, self.after))
        if self.kind == "order":
            return f"order: {after}"
        if self.kind == "alias":
            return f"alias: {before} is {after}" if after else f"alias: {before} removed"
        return f"{self.kind}: {before} to {after} ({self.rows:g} rows)"


def _describe_aliases(aliases: Mapping[Hashable, Hashable]) -> list[Any]:
    return [[describe_label(alias), describe_label(label)] for alias, label in aliases.items()]


def _aliases_from(described: Any) -> dict[Hashable, Hashable]:
    return {_label(alias): _label(label) for alias, label in described}


def _describe_history(history: Iterable[ClassChange]) -> list[Any]:
    return [[c.kind, describe_label(c.before), describe_label(c.after), c.rows] for c in history]


def _history_from(described: Any) -> tuple[ClassChange, ...]:
    history = []
    for kind, before, after, rows in described:
        if kind not in KINDS or type(rows) not in (int, float) or not 0 <= rows < 2**63:
            raise ValueError(f"a class cannot have had the change {kind!r} of {rows!r} rows")
        history.append(ClassChange(kind, _labels(before), _labels(after), rows))
    return tuple(history)


def _label(description: Any) -> Hashable:
    (label,) = as_labels([label_from(description)]).tolist()
    return label


def _labels(description: Any) -> Labels:
    labels = label_from(description)
    if not isinstance(labels, tuple):
        raise ValueError(f"several labels must be a tuple, got {labels!r}")
    return tuple(as_labels(list(labels)).tolist())


@dataclass(frozen=True)
class ClassRecord(Stored):
    """What people decided about the classes of a model; never changed in place.

    It holds no times and no names, so that files of equal content have equal bytes.

    Attributes
    ----------
    aliases : dict of label to label
        Each alias and the class that it stands for.
    order : tuple of labels
        Classes that reports show first, in this order.
    history : tuple of ClassChange
        All changes, the oldest first.
    """

    aliases: Annotated[dict[Hashable, Hashable], Json(_describe_aliases, _aliases_from)] = field(
        default_factory=dict
    )
    order: Annotated[Labels, Json(describe_label, _labels)] = ()
    history: Annotated[tuple[ClassChange, ...], Json(_describe_history, _history_from)] = ()

    def resolve(self, labels: AnyArray) -> AnyArray:
        """Replace aliases among labels (n,) by their classes."""
        if not self.aliases:
            return labels
        return as_labels([self.aliases.get(label, label) for label in labels.tolist()])

    def arrange(self, classes: Iterable[Hashable]) -> list[Hashable]:
        """Return the classes in the order of reports: those of `order`, then the others."""
        found = dict.fromkeys(classes)
        first = dict.fromkeys(label for label in self.order if label in found)
        return [*(first | found)]

    def append(self, change: ClassChange) -> ClassRecord:
        """Return a record with one more change."""
        return replace(self, history=(*self.history, change))

    def relabel(self, labels: Mapping[Hashable, Hashable]) -> ClassRecord:
        """Return a record in which classes have other labels.

        Raises
        ------
        ValueError
            If a new label is an alias of another class.
        """
        aliases = {alias: labels.get(label, label) for alias, label in self.aliases.items()}
        for new in labels.values():
            if aliases.get(new, new) != new:
                raise ValueError(
                    f"{new!r} is an alias of {aliases[new]!r} and cannot be a class too; remove "
                    "the alias first"
                )
        return replace(
            self,
            aliases={alias: label for alias, label in aliases.items() if alias != label},
            order=tuple(dict.fromkeys(labels.get(label, label) for label in self.order)),
        )

    def unite(self, other: ClassRecord) -> ClassRecord:
        """Return the record of two models that are merged.

        Raises
        ------
        ValueError
            If an alias stands for different classes, or two labels are aliases of each other.
        """
        for alias in self.aliases.keys() & other.aliases.keys():
            mine, theirs = self.aliases[alias], other.aliases[alias]
            if mine != theirs:
                raise ValueError(
                    f"{alias!r} is an alias of {mine!r} in one model and of {theirs!r} in the "
                    "other; remove one of the two"
                )
        both = {**self.aliases, **other.aliases}
        return ClassRecord(
            {alias: _follow(alias, both) for alias in both},
            tuple(dict.fromkeys([*self.order, *other.order])),
            (*self.history, *(change for change in other.history if change not in self.history)),
        )

    def validate(self) -> None:
        """Raise ValueError if an alias stands for an alias, or the order names a class twice."""
        if set(self.aliases) & set(self.aliases.values()):
            raise ValueError("an alias of a class cannot stand for another alias")
        if len(set(self.order)) < len(self.order):
            raise ValueError("an order of classes cannot name a class twice")


def _follow(alias: Hashable, aliases: Mapping[Hashable, Hashable]) -> Hashable:
    """Return the class that an alias stands for, over aliases of aliases."""
    label = aliases[alias]
    for _ in aliases:
        if label not in aliases:
            return label
        label = aliases[label]
    raise ValueError(f"{alias!r} is an alias of itself; remove an alias of one of the models")
