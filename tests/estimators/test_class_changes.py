"""Classes are renamed, merged, split, aliased and ordered: exactly, and with a history."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

import faast
from faast import FaastClassifier, Ridge, TextClassifier
from tests.estimators.test_exactness import same_file
from tests.strategies import orders_and_cuts, problems

ROWS = np.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9], [0.7, 0.7], [0.6, 0.8]])
LABELS = ["a", "a", "b", "b", "c", "c"]


def fitted(**settings):
    return FaastClassifier(**settings).fit(ROWS, LABELS)


def without_record(model):
    """Return a copy whose record of changes is empty, to compare all else."""
    twin = FaastClassifier(model.solver)
    vars(twin).update({k: v for k, v in vars(model).items() if k != "_record"})
    return twin


@given(st.data())
@settings(deadline=None, max_examples=40)
def test_new_labels_are_as_if_learned_with_them(data):
    rows, labels = data.draw(problems())
    classes = np.unique(labels).tolist()
    new = {c: f"class {data.draw(st.integers(0, 2))}" for c in classes}
    model = FaastClassifier()
    for batch in data.draw(orders_and_cuts(len(rows))):
        model.partial_fit(rows[batch], labels[batch])
    for label in set(new.values()):
        group = [old for old in classes if new[old] == label]
        if len(group) > 1:
            model.merge_classes(group, into=label)
        else:
            model.rename_classes({group[0]: label})
    expected = FaastClassifier().fit(rows, [new[label] for label in labels.tolist()])
    same_file(without_record(model), expected)


@given(st.data())
@settings(deadline=None, max_examples=30)
def test_split_rows_are_as_if_learned_with_their_labels(data):
    rows, labels = data.draw(problems())
    names = np.array(["x", "y", "z", "w"])[labels]
    moved = np.flatnonzero(names == "x")
    new = names.copy()
    parts = data.draw(st.sampled_from([["y"], ["new"], ["new", "x"], ["q", "y"]]))
    new = new.astype(object)
    new[moved] = np.resize(parts, len(moved))
    model = FaastClassifier().fit(rows, names).split_class("x", rows[moved], new[moved])
    same_file(without_record(model), FaastClassifier().fit(rows, new))
    assert model.class_history_[-1].rows == np.count_nonzero(new[moved] != "x")


def test_a_split_keeps_a_sample_exact_and_the_rows_of_the_fit_known():
    random = np.random.default_rng(0)
    rows, labels = random.standard_normal((300, 4)) / 3, random.integers(0, 2, 300)
    moved = np.flatnonzero(labels == 1)[:40]
    model = FaastClassifier(Ridge(), selection_rows=100).fit(rows, labels)
    model.split_class(1, rows[moved], np.full(40, 2))
    assert model.is_exact_
    held = FaastClassifier().fit(rows, labels).split_class(1, rows[moved], np.full(40, 2))
    expected = labels.copy()
    expected[moved] = 2
    assert np.array_equal(held.suspects().given, held.suspects(rows, expected).given)


def test_a_class_whose_label_is_a_tuple_can_be_split():
    model = FaastClassifier().fit(ROWS, [("a", 1)] * 4 + [("b", 2)] * 2)
    model.split_class(("a", 1), ROWS[2:4], [("c", 3), ("a", 1)])
    assert model.classes_.tolist() == [("a", 1), ("b", 2), ("c", 3)]
    assert str(model.class_history_[-1]) == "split: ('a', 1) to ('a', 1), ('c', 3) (1 rows)"


def test_moments_of_many_rows_merge_exactly():
    random = np.random.default_rng(0)
    rows, labels = random.standard_normal((3000, 6)) / 3, random.integers(0, 5, 3000)
    model = FaastClassifier(selection_rows=500).fit(rows, labels)
    model.merge_classes([1, 3], into=1)
    expected = FaastClassifier(selection_rows=500).fit(rows, np.where(labels == 3, 1, labels))
    assert not model.statistics_.rows.complete
    same_file(without_record(model), expected)


def test_equal_rows_of_merged_classes_are_one_row_and_a_thinner_sample_says_so():
    random = np.random.default_rng(0)
    rows = np.repeat(random.standard_normal((300, 3)) / 3, 2, axis=0)
    labels = np.tile([0, 1], 300)
    held = FaastClassifier().fit(rows, labels).merge_classes([0, 1], into=0)
    assert held.is_exact_
    assert held.n_rows_ == 600
    for solver, exact in (("auto", True), (Ridge(), False)):  # "auto" keeps all of so few rows
        model = FaastClassifier(solver, selection_rows=100)
        sampled = clone(model).fit(rows, labels).merge_classes([0, 1], into=0)
        assert sampled.is_exact_ == exact
        assert sampled.n_rows_ == 600
        if exact:
            same_file(without_record(sampled), model.fit(rows, np.zeros(600, dtype=int)))


def test_rows_that_become_equal_at_the_end_of_a_sample_make_it_inexact():
    model = FaastClassifier(Ridge(), selection_rows=1)
    rows = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert model.fit(rows, ["a", "b"]).is_exact_
    assert not model.merge_classes(["a"], "b").is_exact_
    assert not model.fit(rows, ["a", "b"]).relabel(rows[1:], ["b"], ["a"]).is_exact_


def test_history_aliases_and_order_are_saved_and_survive_compaction(tmp_path):
    model = fitted().rename_classes({"a": "x"}).merge_classes(["b", "c"], into="d")
    model.split_class("d", ROWS[4:], ["e", "e"]).alias_classes({"dd": "d"})
    model.order_classes(["x", "e"])
    assert [str(change) for change in model.class_history_] == [
        "rename: 'a' to 'x' (2 rows)",
        "merge: 'b', 'c' to 'd' (4 rows)",
        "split: 'd' to 'e' (2 rows)",
        "alias: 'dd' is 'd'",
        "order: 'x', 'e'",
    ]
    assert model.classes_.tolist() == ["d", "e", "x"]
    assert model.report_order() == ["x", "e", "d"]
    for one in (model, model.compact()):
        one.save(tmp_path / "model")
        found = faast.load(tmp_path / "model")
        assert found.class_history_ == model.class_history_
        assert found.class_aliases_ == {"dd": "d"}
        assert found.report_order() == ["x", "e", "d"]
    assert fitted().rename_classes({"a": "x"}).fit(ROWS, LABELS).class_history_ == ()


def test_files_of_equal_changes_have_equal_bytes(tmp_path):
    for name in ("first", "second"):
        fitted().merge_classes(["a", "b"], into="a").save(tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_an_alias_counts_as_its_class_in_later_rows():
    model = fitted().alias_classes({"A": "a"})
    model.partial_fit([[0.8, 0.2]], ["A"])
    expected = FaastClassifier().fit([*ROWS, [0.8, 0.2]], [*LABELS, "a"])
    same_file(without_record(model), expected)
    assert model.score([[1.0, 0.0]], ["A"]) == 1.0
    model.forget([[0.8, 0.2]], ["A"])
    same_file(without_record(model), fitted())
    model.rename_classes({"a": "z"})
    assert model.class_aliases_ == {"A": "z"}
    model.alias_classes({"A": None})
    assert model.partial_fit([[0.8, 0.2]], ["A"]).classes_.tolist() == ["A", "b", "c", "z"]


def test_merged_models_share_their_aliases():
    left = fitted().alias_classes({"A": "a"})
    right = FaastClassifier().fit(ROWS[:2], ["A", "A"])
    for model in (
        FaastClassifier().merge(left).merge(right),
        FaastClassifier().merge(right).merge(left),
    ):
        assert model.classes_.tolist() == ["a", "b", "c"]
        assert model.class_counts_.tolist() == [4, 2, 2]
    other = fitted().alias_classes({"A": "b"})
    with pytest.raises(ValueError, match="'A' is an alias of 'a' in one model and of 'b'"):
        left.merge(other)
    chained = FaastClassifier().fit(ROWS[:2], ["q", "q"]).alias_classes({"a": "q"})
    assert chained.merge(left).class_aliases_ == {"a": "q", "A": "q"}
    circle = FaastClassifier().fit(ROWS[:2], ["A", "A"]).alias_classes({"a": "A"})
    with pytest.raises(ValueError, match="alias of itself"):
        fitted().alias_classes({"A": "a"}).merge(circle)


REFUSED = [
    (lambda m: m.rename_classes({"a": "b"}), "two classes would get the same label 'b'"),
    (lambda m: m.rename_classes({"a": "x", "b": "x"}), "to make them one, use merge_classes"),
    (lambda m: m.rename_classes({"aa": "b"}), "'aa' is no class of the model; did you mean 'a'"),
    (lambda m: m.rename_classes({"a": "alias"}), "'alias' is an alias of 'b'"),
    (lambda m: m.rename_classes({"a": None}), "missing"),
    (lambda m: m.merge_classes(["a"], into="a"), "merging needs two classes"),
    (lambda m: m.merge_classes(["a", "q"], into="a"), "'q' is no class"),
    (lambda m: m.merge_classes(["a", "c"], into="alias"), "'alias' is an alias of 'b'"),
    (lambda m: m.merge_classes("ab", into="c"), "got one string"),
    (lambda m: m.split_class("a", ROWS[2:3], ["new"]), "never learned"),
    (lambda m: m.split_class("q", ROWS[:1], ["new"]), "'q' is no class"),
    (lambda m: m.split_class("a", ROWS[:2], ["new"]), "same number of rows"),
    (lambda m: m.split_class("a", ROWS[:1], [None]), "missing"),
    (lambda m: m.alias_classes({"b": "a"}), "'b' is a class with rows"),
    (lambda m: m.alias_classes({"x": "q"}), "'q' is no class"),
    (lambda m: m.alias_classes({"x": None}), "'x' is no alias"),
    (lambda m: m.order_classes(["a", "a"]), "names 'a' twice"),
    (lambda m: m.order_classes(["q"]), "'q' is no class"),
]


@pytest.mark.parametrize(("change", "message"), REFUSED)
def test_a_refused_change_changes_nothing(change, message):
    model = fitted().alias_classes({"alias": "b"})
    before = vars(model).copy()
    with pytest.raises((ValueError, TypeError), match=message):
        change(model)
    assert vars(model) == before


def test_class_weights_and_leave_one_out_follow_the_labels():
    model = FaastClassifier(class_weight={"a": 2.0, "b": 2.0}).fit(ROWS, LABELS)
    loo = model.loo_proba_
    model.rename_classes({"a": "z"})
    assert np.allclose(model.loo_proba_[:, [2, 0, 1]], loo)
    model.merge_classes(["z", "b"], into="z")
    assert model.class_weight == {"z": 2.0}
    with pytest.raises(ValueError, match="class weights 2 and 1"):
        model.merge_classes(["z", "c"], into="z")
    model.partial_fit(ROWS[:1], ["z"])
    assert model.class_counts_.tolist() == [2, 10]


def test_given_embeddings_follow_and_names_are_embedded_anew():
    given = {"a": [1.0, 0.0], "b": [0.0, 1.0], "c": [0.5, 0.5]}
    model = FaastClassifier(class_embeddings=given).fit(ROWS, LABELS)
    model.rename_classes({"a": "z"}).merge_classes(["b", "c"], into="d")
    assert model.learned_.embeddings.to_mapping()["d"].tolist() == [0.25, 0.75]
    texts, labels = ["my card", "lost card", "top up", "my top up"], ["card", "card", "top", "top"]
    named = TextClassifier("hashing", class_names=True).fit(texts, labels)
    named.rename_classes({"top": "top up"})
    expected = TextClassifier("hashing", class_names=True).fit(
        texts, ["card", "card", "top up", "top up"]
    )
    assert np.array_equal(named.predict_proba(texts), expected.predict_proba(texts))


def test_compact_models_and_indicators_refuse():
    with pytest.raises(ValueError, match="compacted"):
        fitted().compact().rename_classes({"a": "z"})
    columns = FaastClassifier().fit([[0.0, 1.0], [1.0, 0.0]], [[1, 0], [0, 1]])
    for change in (
        lambda: columns.merge_classes([0, 1], into=0),
        lambda: columns.split_class(0, [[0.0, 1.0]], [3]),
        lambda: columns.alias_classes({5: 0}),
    ):
        with pytest.raises(ValueError, match="indicator matrix cannot be changed"):
            change()


def test_scoring_rows_of_which_no_label_is_a_class_warns():
    with pytest.warns(UserWarning, match=r"no label is a class of the model.*'A'.*'a'"):
        assert fitted().score(ROWS[:2], ["A", "A"]) == 0.0


def test_statistics_of_rows_with_an_alias_count_for_its_class():
    part = FaastClassifier().fit(ROWS[:2], ["A", "A"]).learned_
    model = fitted().alias_classes({"A": "a"}).learn_statistics(part.classes, part.statistics)
    assert model.classes_.tolist() == ["a", "b", "c"]
    assert model.class_counts_.tolist() == [4, 2, 2]


def test_aliases_of_a_class_that_becomes_an_alias_follow(tmp_path):
    rows, labels = np.eye(6), list("aabbcc")
    model = FaastClassifier().fit(rows, labels).alias_classes({"x": "a"})
    model.forget(rows[:2], labels[:2]).alias_classes({"a": "b"})
    assert model.resolve_labels(["x", "a"]).labels.tolist() == ["b"]
    model.save(tmp_path / "model")
    assert faast.load(tmp_path / "model").resolve_labels(["x"]).labels.tolist() == ["b"]


def test_embeddings_that_were_given_stay_beside_an_encoder(tmp_path):
    vectors = {label: np.eye(2048)[i] for i, label in enumerate(["card", "other", "top"])}
    model = TextClassifier("hashing", class_embeddings=vectors)
    model.fit(["my card", "top up"], ["card", "top"])
    assert model.classes_.tolist() == ["card", "other", "top"]
    model.save(tmp_path / "model")
    for one in (model, faast.load(tmp_path / "model")):
        one.partial_fit(["something new"], ["new"]).forget(["something new"], ["new"])
        assert one.classes_.tolist() == ["card", "other", "top"]
        one.rename_classes({"other": "else"})
        assert one.classes_.tolist() == ["card", "else", "top"]


def test_classes_that_are_renamed_take_their_given_embedding_to_the_next_fit():
    rows, labels = np.eye(6), list("aabbcc")
    given = {"a": rows[0], "b": rows[2], "d": rows[5]}
    model = FaastClassifier(class_embeddings=given).fit(rows, labels).rename_classes({"a": "A"})
    again = clone(model).fit(rows, ["A", "A", *labels[2:]])
    assert again.classes_.tolist() == ["A", "b", "c", "d"]


def test_merging_unites_embeddings_in_either_order(tmp_path):
    rows, labels = np.eye(6), list("ababab")
    some = {"a": rows[0], "b": rows[1]}

    def fitted(embeddings, part):
        return FaastClassifier(class_embeddings=embeddings).fit(rows[part], labels[part])

    few, many = slice(0, 2), slice(2, 6)
    merged = fitted(some, few).merge(fitted(some | {"z": rows[2]}, many))
    same_file(merged, fitted(some | {"z": rows[2]}, many).merge(fitted(some, few)))
    apart = fitted(some, slice(0, 0)).merge(fitted({"c": rows[2]}, slice(0, 0)))
    apart.save(tmp_path / "apart")
    assert faast.load(tmp_path / "apart").classes_.tolist() == ["a", "b", "c"]
    with pytest.raises(ValueError, match="'a' has another embedding in each model"):
        fitted(some, few).merge(fitted({"a": rows[5]}, many))
