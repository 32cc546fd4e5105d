"""Answers as people want them: one row, columns, tables of pandas and polars."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from faast import (
    FaastClassifier,
    FaastRegressor,
    NaturalGradientClassifier,
    PseudoInverse,
    Ridge,
    TextClassifier,
    TextRegressor,
)

TEXTS = ["my card is lost", "card stolen", "top up failed", "cannot top up", "cash", "get cash"]
LABELS = ["card", "card", "top_up", "top_up", "cash", "cash"]
ASKED = ["where is my card", "top up please"]


@pytest.fixture(scope="module")
def model():
    return TextClassifier(novelty=True).fit(TEXTS, LABELS)


def frames(columns):
    """The columns as every kind of table that is installed."""
    found = [dict(columns)]
    for package in ("pandas", "polars"):
        try:
            library = pytest.importorskip(package)
        except pytest.skip.Exception:
            continue
        found.append(library.DataFrame(columns))
    return found


def names_of(table):
    return list(getattr(table, "columns", table))


def test_columns_hold_label_runner_up_and_novelty(model):
    columns = model.predict_columns(ASKED)
    shares = model.predict_proba(ASKED)
    assert columns["label"] == model.predict(ASKED).tolist()
    np.testing.assert_array_equal(columns["probability"], shares.max(axis=1))
    np.testing.assert_array_equal(columns["runner_up_probability"], np.sort(shares)[:, -2])
    for row, name in enumerate(columns["runner_up"]):
        assert name == model.classes_[np.argsort(shares[row])[-2]]
    np.testing.assert_array_equal(columns["novelty"], model.novelty_score(ASKED))
    one_class = TextClassifier().fit(["a", "b"], ["x", "x"]).predict_columns(["a"])
    assert one_class == {"label": ["x"], "probability": [1.0]}
    assert model.predict_columns([])["label"] == []


@pytest.mark.parametrize("kind", range(3), ids=["dict", "pandas", "polars"])
def test_a_table_comes_back_with_its_columns(model, kind):
    tables = frames({"id": [7, 3], "text": ASKED, "label": ["?", "?"]})
    if kind >= len(tables):
        pytest.skip("not installed")
    table = tables[kind]
    answered = model.predict_table(table)
    assert type(answered) is type(table)
    assert names_of(answered)[:4] == [
        "id",
        "text",
        "label",
        "predicted_label",
    ]
    assert list(answered["predicted_label"]) == ["card", "top_up"]
    assert list(answered["label"]) == list(table["label"]) == ["?", "?"]
    assert list(model.predict_table(table, "label")["text"]) == ASKED
    assert len(names_of(table)) == 3  # the input is as it was


def test_an_index_is_kept(model):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"text": ASKED}, index=["b", "a"])
    assert model.predict_table(table).index.tolist() == ["b", "a"]


@pytest.mark.parametrize("kind", range(3), ids=["dict", "pandas", "polars"])
def test_features_are_found_by_name(kind):
    pandas = pytest.importorskip("pandas")
    X = np.random.default_rng(0).standard_normal((30, 2))
    y = X[:, 0] - 2 * X[:, 1]
    learned = pandas.DataFrame(X, columns=["a", "b"])
    model = FaastRegressor().fit(learned, y)
    tables = frames({"note": ["x"] * 30, "b": X[:, 1], "value": y, "a": X[:, 0]})
    if kind >= len(tables):
        pytest.skip("not installed")
    answered = model.predict_table(tables[kind])
    np.testing.assert_allclose(list(answered["predicted_value"]), y, atol=1e-3)
    assert names_of(answered)[-3:] == [
        "predicted_value",
        "lower",
        "upper",
    ]
    with pytest.raises(ValueError, match="the table has no column 'b', which the model has learn"):
        model.predict_table(learned[["a"]])
    with pytest.raises(ValueError, match="learned 2 features without names"):
        FaastRegressor().fit(X, y).predict_table(tables[kind])
    assert model.predict_one({"b": 1.0, "a": 0.0}) == pytest.approx(-2.0, abs=1e-3)


def test_columns_of_numbers_are_named_by_target():
    pandas = pytest.importorskip("pandas")
    X = np.eye(20)
    targets = pandas.DataFrame({"price": np.arange(20.0), "stars": np.ones(20)})
    columns = FaastRegressor().fit(X, targets).predict_columns(X[:3])
    assert list(columns) == [
        f"{target}_{name}" for target in ("price", "stars") for name in ("value", "lower", "upper")
    ]
    bare = FaastRegressor(selection_rows=0).fit(X, targets.to_numpy()).predict_columns(X[:3])
    assert list(bare) == ["target_1_value", "target_2_value"]


def test_one_row_has_one_answer(model):
    assert model.predict_one("where is my card") == "card"
    assert model.predict_one({"text": "where is my card", "id": 7}) == "card"
    number = TextRegressor().fit(TEXTS, range(6)).predict_one("cash")
    assert type(number) is float
    assert type(FaastClassifier().fit(np.eye(4), [0, 1, 2, 3]).predict_one(np.eye(4)[2])) is int
    with pytest.raises(TypeError, match=r"pass \[row\]"):
        model.predict("where is my card")


def test_several_labels_are_lists_in_columns():
    indicator = np.array([[1, 0], [1, 1], [0, 1], [1, 0]] * 5)
    X = indicator + 0.01 * np.random.default_rng(0).standard_normal((20, 2))
    columns = FaastClassifier().fit(X, indicator).predict_columns([[1.0, 1.0], [1.0, 0.0]])
    assert columns["labels"] == [[0, 1], [0]]
    assert [len(row) for row in columns["probabilities"]] == [2, 1]


def test_what_is_no_table_is_refused(model):
    with pytest.raises(TypeError, match=r"a DataFrame or a mapping .* got a list"):
        model.predict_table(ASKED)
    with pytest.raises(ValueError, match="the columns title, body; say which one holds the rows"):
        model.predict_table({"title": ["a"], "body": ["b"]})
    with pytest.raises(ValueError, match="the columns text; not 'body'"):
        model.predict_table({"text": ["a"]}, "body")
    polars = pytest.importorskip("polars")
    with pytest.raises(TypeError, match="call collect"):
        model.predict_table(polars.LazyFrame({"text": ASKED}))


def test_log_probabilities_are_finite(model):
    shares = model.predict_proba(TEXTS)
    np.testing.assert_allclose(model.predict_log_proba(TEXTS), np.log(shares))
    far = FaastClassifier().fit([[0.0], [0.1], [9.0], [9.1]] * 20, [0, 0, 1, 1] * 20)
    assert np.isfinite(far.predict_log_proba([[1e4]])).all()
    natural = NaturalGradientClassifier().fit(np.eye(4), [0, 1, 0, 1])
    np.testing.assert_allclose(
        natural.predict_log_proba(np.eye(4)), np.log(natural.predict_proba(np.eye(4)))
    )


def test_polars_frames_are_learned_by_name():
    polars = pytest.importorskip("polars")
    X = np.random.default_rng(0).standard_normal((20, 2))
    table = polars.DataFrame({"a": X[:, 0], "b": X[:, 1]})
    targets = polars.DataFrame({"price": X[:, 0]})
    model = FaastRegressor().fit(table, targets)
    assert (model.feature_names_in_.tolist(), model.target_names_) == (["a", "b"], ["price"])
    with pytest.raises(ValueError, match="same order"):
        model.predict(table[["b", "a"]])
    labels = polars.Series((X[:, 0] > 0).astype(str).tolist())
    assert FaastClassifier().fit(table, labels).score(table, labels) > 0.8
    texts = polars.Series(TEXTS)
    found = TextClassifier().fit(texts, polars.Series(LABELS)).predict(texts)
    assert found.tolist() == LABELS


# -- settings of solvers ---------------------------------------------------------------------------


def test_a_grid_search_reaches_the_settings_of_solvers():
    X = np.random.default_rng(0).standard_normal((60, 4))
    y = X[:, 0] + 0.1 * X[:, 1]
    given = Ridge(1.0)
    search = GridSearchCV(FaastRegressor(given), {"solver__strength": [1e-3, 1e3]}).fit(X, y)
    assert search.best_params_ == {"solver__strength": 1e-3}
    assert search.best_estimator_.solver == Ridge(1e-3)
    assert given == Ridge(1.0)
    both = {"solver": [Ridge()], "solver__strength": [1e-3, 1e3]}
    assert GridSearchCV(FaastClassifier(), both, cv=2).fit(X, y > 0).best_estimator_.solver


def test_settings_of_solvers_are_parameters():
    model = FaastClassifier(PseudoInverse(alpha=0.5))
    assert model.get_params()["solver__alpha"] == 0.5
    assert "solver__alpha" not in model.get_params(deep=False)
    assert model.set_params(solver__alpha=0.7, novelty=True).solver == PseudoInverse(alpha=0.7)
    assert model.novelty
    with pytest.raises(ValueError, match="PseudoInverse has no setting 'strength'; its settings"):
        model.set_params(solver__strength=1.0)
    with pytest.raises(ValueError, match="Auto has no setting 'strength'; it has none"):
        FaastClassifier().set_params(solver__strength=1.0)
    with pytest.raises(ValueError, match="Invalid parameter"):
        model.set_params(strength=1.0)
    with pytest.raises(ValueError, match="must be finite"):
        FaastClassifier(Ridge()).set_params(solver__strength=-1.0)


@pytest.mark.parametrize("wrong", [{"strength": 1.0}, {"solver__strength": 1.0}])
def test_parameters_of_which_one_is_wrong_are_not_set(wrong):
    model = FaastClassifier(PseudoInverse(alpha=0.5))
    before = model.get_params()
    with pytest.raises(ValueError, match="strength"):
        model.set_params(novelty=True, solver__alpha=0.7, **wrong)
    assert model.get_params() == before


def test_columns_may_be_numbered(model, rng):
    pandas = pytest.importorskip("pandas")
    X, y = rng.standard_normal((30, 4)), np.arange(30) % 3
    features = FaastClassifier().fit(X, y)
    for table in (pandas.DataFrame(X), dict(enumerate(X.T))):
        answers = features.predict_table(table)
        assert list(answers["label"]) == features.predict(X).tolist()
    answers = model.predict_table(pandas.DataFrame(ASKED))
    assert list(answers["label"]) == model.predict(ASKED).tolist()


def test_entries_of_a_series_are_found_by_the_names_that_were_learned(rng):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(rng.standard_normal((30, 4)), columns=list("abcd"))
    model = FaastRegressor().fit(table, table["a"])
    assert model.predict_one(table.iloc[3][::-1]) == model.predict(table[3:4])[0]
