"""Numbers from features, texts and images: predictions, errors and intervals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes
from sklearn.linear_model import Ridge as PlainRidge
from sklearn.linear_model import RidgeCV
from sklearn.metrics import mean_absolute_error, r2_score
from sklearn.model_selection import cross_val_score
from sklearn.preprocessing import StandardScaler

import faast
from faast import (
    AssociativeMemory,
    FaastRegressor,
    ImageRegressor,
    PseudoInverse,
    Ridge,
    TextRegressor,
)
from faast.core.persistence import content_hash
from faast.encoders import EncoderMismatchError, load_encoder
from tests.forging import forge
from tests.strategies import orders_and_cuts

FLATS = [(rooms, garden, floor) for rooms in range(1, 5) for garden in (0, 1) for floor in range(5)]
TEXTS = [
    f"{'room ' * rooms}{'with a garden ' * garden}floor {floor}" for rooms, garden, floor in FLATS
]
PRICES = [300.0 + 200 * rooms + 150 * garden + 10 * floor for rooms, garden, floor in FLATS]


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def text_model():
    return TextRegressor().fit(TEXTS, PRICES)


def fingerprint(model):
    state = model.to_state()
    return content_hash(state.tensors, state.metadata)


def test_regression_matches_a_tuned_ridge(diabetes):
    rows, targets = diabetes
    ours = FaastRegressor().fit(rows[:300], targets[:300])
    tuned = RidgeCV(np.logspace(-6, 3, 40)).fit(rows[:300], targets[:300])
    assert ours.score(rows[300:], targets[300:]) >= tuned.score(rows[300:], targets[300:]) - 0.01


def test_many_outputs_are_each_regressed(diabetes):
    rows, targets = diabetes
    both = np.stack([targets, -targets], axis=1)
    model = FaastRegressor().fit(rows, both)
    predicted = model.predict(rows)
    assert predicted.shape == both.shape
    np.testing.assert_allclose(predicted[:, 0], -predicted[:, 1], rtol=1e-6)
    assert model.loo_r2_.shape == model.loo_error_.shape == (2,)
    bounds = model.predict_interval(rows[:5])
    np.testing.assert_allclose(bounds[:, 0], -bounds[:, 1, ::-1], rtol=1e-6)


def test_streamed_merged_and_forgotten_rows_leave_one_answer(diabetes):
    rows, targets = diabetes
    settings = {"key_scale": 1.0, "value_scale": 512.0}
    whole = FaastRegressor(**settings).fit(rows, targets)
    parts = np.array_split(np.random.default_rng(0).permutation(len(rows)), 4)
    streamed = FaastRegressor(**settings)
    for part in parts[:3]:
        streamed.partial_fit(rows[part], targets[part])
        assert streamed.measures_errors  # which must be measured anew after each change
    streamed.partial_fit(rows[parts[0]] + 0.01, targets[parts[0]])
    streamed.merge(FaastRegressor(**settings).fit(rows[parts[3]], targets[parts[3]]))
    streamed.forget(rows[parts[0]] + 0.01, targets[parts[0]])
    assert np.array_equal(whole.predict(rows), streamed.predict(rows))
    assert np.array_equal(whole.predict_interval(rows), streamed.predict_interval(rows))
    assert whole.loo_r2_ == streamed.loo_r2_
    assert whole.is_exact_
    assert whole.n_rows_ == len(rows)


def test_units_of_targets_do_not_matter(diabetes):
    rows, targets = diabetes[0][:150], diabetes[1][:150]
    noise = np.random.default_rng(0).standard_normal(150)
    both = np.stack([targets, noise], axis=1)
    alike = FaastRegressor().fit(rows, both * [1.0, 80.0])
    tiny = FaastRegressor().fit(rows, both * [1e-3, 8e4])
    assert alike.weights_.strength == pytest.approx(tiny.weights_.strength)
    np.testing.assert_allclose(alike.loo_r2_, tiny.loo_r2_, atol=1e-3)


# -- errors and intervals --------------------------------------------------------------------------


@pytest.mark.parametrize("solver", [Ridge(0.02), PseudoInverse(rtol=0.1)])
def test_errors_are_those_of_refitting_without_each_row(diabetes, solver):
    rows, targets = diabetes[0][:60], diabetes[1][:60]
    model = FaastRegressor(solver).fit(rows, targets)
    left_out = np.zeros(60)
    for i in range(60):
        others = np.arange(60) != i
        part = FaastRegressor(solver).fit(rows[others], targets[others])
        left_out[i] = part.predict(rows[i : i + 1])[0]
    assert model.loo_error_ == pytest.approx(mean_absolute_error(targets, left_out), rel=2e-2)
    assert model.loo_r2_ == pytest.approx(r2_score(targets, left_out), abs=2e-2)
    if isinstance(solver, Ridge):
        assert model.loo_error_ == pytest.approx(mean_absolute_error(targets, left_out), rel=1e-3)


def test_leverage_is_the_textbook_one(diabetes):
    rows, targets = diabetes[0][:60], diabetes[1][:60]
    spread = FaastRegressor(Ridge(0.05)).fit(rows, targets).learned_.solution.spread
    centred = rows - rows.mean(axis=0)
    inverse = np.linalg.inv(centred.T @ centred + 0.05 * np.eye(10))
    asked = diabetes[0][60:] - rows.mean(axis=0)
    expected = 1 / 60 + np.einsum("ij,jk,ik->i", asked, inverse, asked)
    np.testing.assert_allclose(spread.leverage.of(diabetes[0][60:]), expected, rtol=1e-3)
    hat = 1 / 60 + np.einsum("ij,jk,ik->i", centred, inverse, centred)
    np.testing.assert_allclose(np.sort(spread.remaining), np.sort(1 - hat), rtol=1e-3)


def test_directions_that_no_row_spans_count_by_the_strength():
    rows = np.zeros((20, 50))
    rows[:, :3] = np.random.default_rng(0).standard_normal((20, 3)) / 3
    leverage = FaastRegressor(Ridge(0.5)).fit(rows, rows[:, 0]).learned_.solution.spread.leverage
    far = np.zeros((1, 50))
    far[0, 40] = 2.0
    assert leverage.of(far)[0] == pytest.approx(leverage.of(0 * far)[0] + 2.0**2 / 0.5, rel=0.05)


@pytest.mark.parametrize("coverage", [0.5, 0.8, 0.9, 0.95])
def test_intervals_hold_the_share_that_was_asked_for(diabetes, coverage):
    rows, targets = diabetes
    inside = []
    for seed in range(12):
        order = np.random.default_rng(seed).permutation(len(rows))
        learned, asked = order[:220], order[220:]
        model = FaastRegressor().fit(rows[learned], targets[learned])
        lower, upper = model.predict_interval(rows[asked], coverage).T
        inside.append(np.mean((lower <= targets[asked]) & (targets[asked] <= upper)))
    assert np.mean(inside) == pytest.approx(coverage, abs=0.03)


def test_intervals_widen_where_rows_are_far(diabetes):
    model = FaastRegressor().fit(*diabetes)
    near, far = diabetes[0].mean(axis=0), np.full(10, 2.0)
    widths = np.diff(model.predict_interval([near, far])).ravel()
    assert widths[1] > 3 * widths[0]


def test_too_few_rows_for_a_coverage_leave_bounds_infinite(diabetes):
    rows, targets = diabetes
    nine = FaastRegressor().fit(rows[:9], targets[:9])
    assert np.isfinite(nine.predict_interval(rows[:3], 0.9)).all()
    assert np.isinf(nine.predict_interval(rows[:3], 0.95)).all()


def test_repeated_rows_count_as_often_as_they_came(diabetes):
    rows, targets = diabetes[0][:50], diabetes[1][:50]
    repeats = np.random.default_rng(0).integers(1, 4, 50)
    weighted = FaastRegressor(Ridge(0.1)).fit(rows, targets, repeats)
    repeated = FaastRegressor(Ridge(0.1)).fit(
        np.repeat(rows, repeats, 0), np.repeat(targets, repeats)
    )
    assert fingerprint(weighted) == fingerprint(repeated)
    np.testing.assert_array_equal(weighted.predict_interval(rows), repeated.predict_interval(rows))


def test_errors_without_rows_to_leave_out_are_refused(diabetes):
    rows, targets = diabetes
    for model in (
        FaastRegressor().fit(rows[:1], targets[:1]),
        FaastRegressor(selection_rows=0).fit(rows, targets),
    ):
        assert np.isfinite(model.predict(rows[:2])).all()
        assert not model.measures_errors
        for ask in (lambda m: m.loo_r2_, lambda m: m.predict_interval(rows)):
            with pytest.raises(ValueError, match="learn at least two different rows"):
                ask(model)
    for wrong in (0, 1.0, True, "0.9", np.nan):
        with pytest.raises(ValueError, match="coverage must be a number between 0 and 1"):
            FaastRegressor().fit(rows, targets).predict_interval(rows, wrong)


def test_targets_that_rounding_removes_are_warned_about(rng):
    pandas = pytest.importorskip("pandas")
    X = rng.normal(size=(40, 5))
    X /= np.linalg.norm(X, axis=1, keepdims=True)
    Y = pandas.DataFrame({"near": X[:, 0], "far": X[:, 0] + 1e9, "years": 1e6 + np.arange(40.0)})
    with pytest.warns(UserWarning, match=r"column 'far' of y varies by .* around 1e\+09, .*mean"):
        FaastRegressor().fit(X, Y)
    with pytest.warns(UserWarning, match="column 0 of y varies"):
        FaastRegressor().partial_fit(X, Y["far"].to_numpy())
    shifted = TransformedTargetRegressor(FaastRegressor(), transformer=StandardScaler())
    assert shifted.fit(X, Y["far"]).score(X, Y["far"]) > 0.99


@pytest.mark.parametrize("target", [0.1, 1e9, 1e6 + np.arange(40), 1e5 + np.linspace(0, 900, 40)])
def test_targets_that_rounding_keeps_are_not_warned_about(rng, target):
    FaastRegressor().fit(rng.normal(size=(40, 5)), np.full(40, target))


def test_a_target_that_does_not_vary():
    model = FaastRegressor().fit(np.eye(12), np.full(12, 3.0))
    assert model.predict(np.eye(12)).round(9).tolist() == [3.0] * 12
    assert model.loo_r2_ == 0.0
    assert model.loo_error_ == pytest.approx(0.0, abs=1e-9)


# -- raw rows --------------------------------------------------------------------------------------


def test_texts_give_numbers_as_their_features_do(text_model):
    features = load_encoder("hashing").encode(TEXTS)
    by_hand = FaastRegressor().fit(features, PRICES)
    asked = ["room room with a garden", "floor 7"]
    expected = by_hand.predict(load_encoder("hashing").encode(asked))
    np.testing.assert_array_equal(text_model.predict(asked), expected)
    assert text_model.score(TEXTS, PRICES) > 0.9
    assert text_model.loo_r2_ > 0.8
    assert cross_val_score(TextRegressor(), TEXTS, PRICES, cv=4).shape == (4,)


def test_rounding_of_repeated_rows_is_no_evidence():
    random = np.random.default_rng(0)
    kinds = [
        (rooms, garden, stop) for rooms in range(1, 6) for garden in (0, 1) for stop in range(4)
    ]
    learned = [kinds[i] for i in random.integers(len(kinds), size=80)]
    texts = [f"{'room ' * r}{'garden ' * g}near stop {s}" for r, g, s in learned]
    prices = [300 + 200 * r + 150 * g + 30 * random.standard_normal() for r, g, _ in learned]
    model = TextRegressor().fit(texts, prices)
    # with strengths that let directions of rounding tell equal rows from others: 400,000
    assert abs(model.predict_one("room room garden near stop 9")) < 10_000


def test_images_give_numbers():
    shades = np.arange(10, 240, 10)
    images = [np.full((8, 8, 3), shade, np.uint8) for shade in shades]
    for shade, image in zip(shades, images, strict=True):
        image[:, : shade // 30] = 255
    model = ImageRegressor().fit(images, shades / 1.0)
    assert model.score(images, shades) > 0.9
    assert model.modality == "image"


def test_an_encoder_beside_features_is_the_same_model(text_model):
    model = FaastRegressor(encoder="hashing").fit(TEXTS, PRICES)
    np.testing.assert_array_equal(model.predict(TEXTS), text_model.predict(TEXTS))
    assert (model.encoder_name, model.modality) == ("hashing", "text")


@pytest.mark.filterwarnings("ignore:column . of y varies")  # little, in a small first batch
@settings(deadline=None, max_examples=15)
@given(order=orders_and_cuts(len(TEXTS)), extra=st.integers(1, 30))
def test_any_order_batches_merge_and_forgetting_leave_the_same_bits(order, extra):
    settings = {"value_scale": 2048.0, "encoder": load_encoder("hashing", n_features=64)}
    prices = np.stack([PRICES, np.sqrt(PRICES)], axis=1)
    whole = TextRegressor(**settings).fit(TEXTS, prices)
    streamed = TextRegressor(**settings)
    for part in order[:-1]:
        streamed.partial_fit([TEXTS[i] for i in part], prices[part])
    last = TextRegressor(**settings)
    last.fit([TEXTS[i] for i in order[-1]], prices[order[-1]])
    streamed.merge(last)
    more = [f"shed {i}" for i in range(extra)]
    streamed.partial_fit(more, prices[:extra]).forget(more, prices[:extra])
    assert fingerprint(streamed) == fingerprint(whole)
    np.testing.assert_array_equal(streamed.predict_interval(TEXTS), whole.predict_interval(TEXTS))


def test_saved_and_compacted_models_answer_alike(text_model, tmp_path):
    asked = TEXTS[:3]
    expected = text_model.predict_interval(asked)
    text_model.save(tmp_path / "model")
    loaded = faast.load(tmp_path / "model")
    compact = text_model.compact()
    compact.save(tmp_path / "compact")
    for model in (loaded, compact, faast.load(tmp_path / "compact")):
        assert type(model) is TextRegressor
        np.testing.assert_array_equal(model.predict_interval(asked), expected)
        assert (model.loo_r2_, model.loo_error_) == (text_model.loo_r2_, text_model.loo_error_)
    with pytest.raises(ValueError, match="compacted"):
        compact.partial_fit(TEXTS, PRICES)
    with pytest.raises(ValueError, match="compacted"):
        _ = compact.n_rows_
    grown = loaded.partial_fit(["a shed"], [100.0]).forget(["a shed"], [100.0])
    np.testing.assert_array_equal(grown.predict_interval(asked), expected)


def test_files_written_before_errors_were_measured_still_load(diabetes):
    model = FaastRegressor().fit(*diabetes)
    expected = model.predict_interval(diabetes[0][:3])
    old = forge(model, drop=["errors", "encoder", "target_names"])
    np.testing.assert_array_equal(old.predict_interval(diabetes[0][:3]), expected)
    compact = forge(model.compact(), drop=["errors", "encoder", "target_names"])
    np.testing.assert_array_equal(compact.predict(diabetes[0]), model.predict(diabetes[0]))
    with pytest.raises(ValueError, match="files of compacted models hold none"):
        compact.predict_interval(diabetes[0])


def test_an_onnx_graph_predicts_alike(text_model, diabetes, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    two = FaastRegressor().fit(diabetes[0], np.stack([diabetes[1]] * 2, axis=1))
    for model, rows in ((text_model, load_encoder("hashing").encode(TEXTS)), (two, diabetes[0])):
        model.to_onnx(tmp_path / "model.onnx")
        session = runtime.InferenceSession(tmp_path / "model.onnx")
        features = np.asarray(rows, dtype=np.float32)
        (values,) = session.run(None, {"features": features})
        expected = model.predict(TEXTS) if model is text_model else model.predict(features)
        np.testing.assert_allclose(values, expected, rtol=1e-5)


# -- names and refusals ----------------------------------------------------------------------------


def test_names_of_targets_are_kept_and_compared(diabetes):
    pandas = pytest.importorskip("pandas")
    rows, targets = diabetes
    table = pandas.DataFrame({"price": targets, "stars": -targets})
    model = FaastRegressor().fit(rows, table)
    assert model.target_names_ == ["price", "stars"]
    assert model.compact().target_names_ == ["price", "stars"]
    assert forge(model).target_names_ == ["price", "stars"]
    before = fingerprint(model)
    with pytest.raises(ValueError, match="learned the targets 'price', 'stars', got 'stars', 'p"):
        model.partial_fit(rows, table[["stars", "price"]])
    with pytest.raises(ValueError, match="learned 2 targets per row, got 1"):
        model.partial_fit(rows, targets)
    assert fingerprint(model) == before
    assert FaastRegressor().fit(rows, table["price"]).target_names_ == ["price"]
    assert not hasattr(model.fit(rows, targets), "target_names_")


@pytest.mark.parametrize(
    ("targets", "message"),
    [
        ([1.0, np.nan, 3.0], "row 1 of y contains NaN"),
        ([1.0, 2.0, np.inf], "row 2 of y contains inf"),
        ([1.0, "abc", 3.0], "row 1 of y is 'abc'; a regressor takes numbers, a classifier takes"),
        ([1.0, None, 3.0], "row 1 of y is None"),
        (np.ma.masked_array([1.0, 2.0, 3.0], mask=[0, 0, 1]), "row 2 of y is masked"),
        (
            [[[1.0]], [[1.0]], [[1.0]]],
            r"one number per row, or a row of numbers, got shape \(3, 1, 1\)",
        ),
        (np.zeros((3, 0)), r"got shape \(3, 0\)"),
        (3.0, r"got shape \(\)"),
        (np.array([1j, 2j, 3j]), "row 0 of y is"),
        (np.array(["2020-01-01"] * 3, dtype="datetime64[ns]"), "row 0 of y holds 2020-"),
        (np.array([1.0, 2.0, np.timedelta64(3, "ns")], dtype=object), "row 2 of y holds 3 nano"),
        ([1.0, 2.0], "same number of rows"),
        (None, "requires y to be passed"),
    ],
)
def test_targets_that_are_no_numbers_are_refused_by_row(targets, message, text_model):
    before = fingerprint(text_model)
    with pytest.raises(ValueError, match=message):
        TextRegressor().fit(TEXTS[:3], targets)
    with pytest.raises(ValueError, match=message):
        text_model.partial_fit(TEXTS[:3], targets)
    assert fingerprint(text_model) == before


def test_models_of_another_kind_are_not_merged(text_model, diabetes):
    with pytest.raises(ValueError, match="only models of one encoder can be merged: modality"):
        text_model.merge(FaastRegressor().fit(*diabetes))
    with pytest.raises(ValueError, match="cannot merge a regressor with a TextClassifier"):
        text_model.merge(faast.TextClassifier().fit(["a", "b"], [0, 1]))
    with pytest.raises(EncoderMismatchError, match="takes text rows, encoder 'pixels' takes image"):
        TextRegressor("pixels").fit(TEXTS, PRICES)
    empty = TextRegressor().merge(text_model)
    np.testing.assert_array_equal(empty.predict(TEXTS), text_model.predict(TEXTS))
    assert clone(text_model).get_params() == text_model.get_params()


def test_float32_tables_are_learned_as_they_are(diabetes):
    rows, targets = diabetes[0].astype(np.float32) * 100, diabetes[1].astype(np.float32)
    model = FaastRegressor(Ridge(1.0)).fit(rows, targets)
    plain = PlainRidge(1.0).fit(rows, targets)
    np.testing.assert_allclose(model.predict(rows), plain.predict(rows), rtol=1e-3)


def test_another_solver_takes_effect_at_once(diabetes, tmp_path):
    X, y = diabetes
    model, wanted = FaastRegressor().fit(X, y), FaastRegressor(Ridge(strength=100.0)).fit(X, y)
    before = model.loo_error_
    model.predict(X)
    model.set_params(solver=Ridge(strength=100.0))
    assert np.array_equal(model.predict(X), wanted.predict(X))
    assert model.loo_error_ == wanted.loo_error_ != before
    model.save(tmp_path / "model")
    assert np.array_equal(faast.load(tmp_path / "model").predict(X), wanted.predict(X))
    assert np.array_equal(
        model.partial_fit(X[:5], y[:5]).predict(X), wanted.partial_fit(X[:5], y[:5]).predict(X)
    )


def test_a_merged_model_has_the_names_of_either(diabetes):
    pandas = pytest.importorskip("pandas")
    X, y = np.sign(diabetes[0]), np.round(diabetes[1])
    table = pandas.DataFrame(X, columns=list("abcdefghij"))

    def plain():
        return FaastRegressor(key_scale=4.0, value_scale=512.0).fit(X[:200], y[:200])

    def named():
        model = FaastRegressor(key_scale=4.0, value_scale=512.0)
        return model.fit(table[200:], pandas.Series(y[200:], name="progression"))

    one, other = plain().merge(named()), named().merge(plain())
    assert one.feature_names_in_.tolist() == list(table.columns)
    assert one.target_names_ == ["progression"]
    assert fingerprint(one) == fingerprint(other)


@pytest.mark.parametrize("weight", [1e-9, 1e-12])
def test_weights_that_would_be_lost_are_refused(diabetes, weight):
    X, y = diabetes
    weights = np.r_[0.0, weight, np.ones(len(X) - 2)]
    for learn in (FaastRegressor().fit, AssociativeMemory().learn):
        with pytest.raises(ValueError, match=f"row 1 has weight {weight}.*multiply all weights"):
            learn(X, y, weights)
