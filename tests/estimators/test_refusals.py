"""What estimators refuse to learn, merge and load, and answers of rarely used members."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError

import faast
from faast import (
    AssociativeMemory,
    FaastClassifier,
    FaastRegressor,
    NaturalGradientClassifier,
    Ridge,
    TextClassifier,
)
from faast.encoders import load_encoder
from faast.estimators.class_embeddings import ClassEmbeddings
from faast.estimators.class_memory import ClassMemory
from faast.estimators.head import require_fit
from faast.estimators.labels import as_labels
from faast.estimators.left_out import NEVER_LEARNED, find_rows
from faast.estimators.pipeline import EncoderTransformer, RandomFeatureTransformer
from faast.estimators.targets import TargetKind, as_targets
from tests.forging import forge

INDICATOR = np.array([[1, 0], [0, 1], [1, 1], [0, 0]])


@pytest.fixture
def rows(rng):
    return rng.standard_normal((40, 5))


@pytest.fixture
def labels():
    return np.arange(40) % 3


# -- kinds of targets ----------------------------------------------------------------------------


def test_an_indicator_matrix_has_no_use_for_labels_of_classes(rows):
    X = rows[:4]
    with pytest.raises(ValueError, match="class_embeddings has no meaning"):
        FaastClassifier(class_embeddings={0: X[0]}).fit(X, INDICATOR)
    with pytest.raises(ValueError, match="class_weight has no meaning"):
        FaastClassifier(class_weight={0: 2.0}).fit(X, INDICATOR)
    with pytest.raises(ValueError, match="one label per row, got an indicator matrix"):
        NaturalGradientClassifier().fit(X, INDICATOR)


def test_kinds_of_targets_do_not_mix(rows):
    X = rows[:4]
    indicator = FaastClassifier().fit(X, INDICATOR)
    with pytest.raises(ValueError, match="learned an indicator matrix, got one label per row"):
        indicator.partial_fit(X, [0, 1, 0, 1])
    with pytest.raises(ValueError, match="learned 2 indicator columns, got 3"):
        indicator.partial_fit(X, np.eye(3)[[0, 1, 2, 0]])
    with pytest.raises(ValueError, match="cannot merge a classifier that learned an indicator"):
        indicator.merge(FaastClassifier().fit(X, [0, 1, 0, 1]))


def test_truth_values_among_integers_are_integers():
    assert as_labels([True, 2, 3]).tolist() == [1, 2, 3]


def test_whole_floats_beyond_64_bits_are_labels(rows, tmp_path):
    large = [2.0**70, 2.0**71] * 2
    model = FaastClassifier().fit(rows[:4], large)
    assert model.classes_.tolist() == [2**70, 2**71]
    numbers = as_labels(np.array(large))
    assert numbers.tolist() == [2**70, 2**71] * 2


def test_tuples_are_labels_that_a_file_keeps(rows, tmp_path):
    model = FaastClassifier().fit(rows[:4], [("a", 1), ("b", 2), ("a", 1), ("b", 2)])
    model.save(tmp_path / "model")
    assert faast.load(tmp_path / "model").classes_.tolist() == [("a", 1), ("b", 2)]


# -- nothing learned -----------------------------------------------------------------------------


def test_one_row_of_weight_is_needed(rows, labels):
    nothing = np.zeros(40)
    for model in (FaastClassifier(), NaturalGradientClassifier(), FaastRegressor()):
        with pytest.raises(ValueError, match="at least one row with a weight above zero"):
            model.fit(rows, labels, sample_weight=nothing)


def test_classes_known_by_embedding_alone_have_nothing_to_forget(rows):
    model = FaastClassifier(class_embeddings={"a": rows[0], "b": rows[1]})
    model.fit(rows[:0], [])
    assert model.class_counts_.tolist() == [0, 0]
    with pytest.raises(ValueError, match="nothing has been learned yet"):
        model.forget(rows[:1], ["a"])
    other = FaastClassifier(class_embeddings={"c": rows[2]}).fit(rows[:0], [])
    assert model.merge(other).classes_.tolist() == ["a", "b", "c"]
    assert model.n_rows_ == 0


def test_a_pass_over_no_rows_is_refused_also_with_embeddings(rows):
    stream = NaturalGradientClassifier(class_embeddings={0: rows[0], 1: rows[1]})
    for learn in (stream.fit, stream.partial_fit):
        with pytest.raises(ValueError, match="needs at least one row"):
            learn(rows[:0], np.zeros(0, np.int64))
    assert not hasattr(stream, "learned_")


def test_merging_nothing_changes_nothing(rows):
    memory = AssociativeMemory().learn(rows, rows)
    assert memory.merge(AssociativeMemory()).count == 40
    assert AssociativeMemory().nbytes == 0
    assert AssociativeMemory().decay(0.5).count == 0
    with pytest.raises(ValueError, match="the iterable is empty"):
        AssociativeMemory().learn(iter([]), iter([]))
    with pytest.raises(ValueError, match="selection_rows must be a whole number"):
        AssociativeMemory(selection_rows=-1)


# -- columns with names --------------------------------------------------------------------------


@pytest.fixture
def frame(rows):
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(rows, columns=list("abcde"))


def test_names_of_columns_are_kept_and_compared(frame, labels, tmp_path):
    model = FaastClassifier().fit(frame, labels)
    model.save(tmp_path / "model")
    again = faast.load(tmp_path / "model")
    assert again.feature_names_in_.tolist() == list("abcde")
    assert model.compact().feature_names_in_.tolist() == list("abcde")
    swapped = FaastClassifier().fit(frame[list("bacde")], labels)
    with pytest.raises(ValueError, match="column 0 is 'a' here and 'b' there"):
        model.merge(swapped)
    fewer = FaastClassifier().fit(frame[list("abc")], labels)
    with pytest.raises(ValueError, match="5 and 3 columns"):
        model.merge(fewer)


def test_tensors_are_features(rows, labels):
    torch = pytest.importorskip("torch")
    model = FaastClassifier().fit(torch.from_numpy(rows), labels)
    assert np.array_equal(model.predict(torch.from_numpy(rows)), model.predict(rows))


# -- raw rows ------------------------------------------------------------------------------------


def test_members_of_features_have_no_encoder(rows, labels):
    model = FaastClassifier().fit(rows, labels)
    assert model.encode(rows) is rows
    assert model.on_features() is model
    with pytest.raises(ValueError, match="no encoder to replace"):
        model.use_encoder(load_encoder("hashing"))
    with pytest.raises(ValueError, match="needs an encoder that embeds the names"):
        FaastClassifier(class_names=True).fit(rows, labels)


def test_labels_of_features_need_embeddings():
    with pytest.raises(ValueError, match=r"labels=\['q'\] need an encoder that embeds the names"):
        FaastClassifier(labels=["q"]).fit(np.eye(4), list("abab"))
    named = FaastClassifier(labels=["q"], class_embeddings={"q": np.ones(4)})
    assert named.fit(np.eye(4), list("abab")).classes_.tolist() == ["a", "b", "q"]


def test_encoded_rows_are_asked_without_encoding_again():
    texts = ["lost card", "top up failed", "card stolen", "top up pending"]
    model = TextClassifier().fit(texts, ["card", "top_up"] * 2)
    twin = model.on_features()
    features = model.encode(texts)
    assert np.array_equal(twin.predict_proba(features), model.predict_proba(texts))
    assert not TextClassifier().on_features().is_fitted
    assert model.uses_class_names is False
    assert FaastRegressor().modality == "features"
    assert FaastRegressor().encoder_name is None


def test_an_encoder_is_a_name_or_an_encoder():
    with pytest.raises(TypeError, match="a name such as 'hashing' or an Encoder"):
        TextClassifier(encoder=3).fit(["a", "b"], [0, 1])


def test_statistics_that_were_summed_elsewhere_are_learned(rows, labels):
    elsewhere = FaastClassifier().fit(rows, labels)
    model = FaastClassifier().learn_statistics(elsewhere.classes_, elsewhere.statistics_)
    assert np.array_equal(model.predict_proba(rows), elsewhere.predict_proba(rows))
    model.learn_statistics(elsewhere.classes_, elsewhere.statistics_)
    assert model.n_rows_ == 80
    assert model.nbytes > model.compact().nbytes


def test_a_class_that_is_not_predicted_has_no_lead(rows, labels):
    model = FaastClassifier(class_embeddings={9: rows[0], 0: rows[1]}).fit(rows, labels)
    explanation = model.explain(rows[0])
    assert 0 <= explanation.prior_share <= 1


# -- pipelines -----------------------------------------------------------------------------------


def test_a_pipeline_needs_two_classes_and_its_parts_are_fitted(rows):
    with pytest.raises(ValueError, match="at least two classes"):
        FaastClassifier().fit(rows[:3], ["a"] * 3).to_pipeline()
    encoder = EncoderTransformer(load_encoder("hashing"))
    assert encoder.fit(["a text"]) is encoder
    assert encoder.__sklearn_is_fitted__()


def test_random_features_are_part_of_a_pipeline():
    X, y = load_digits(return_X_y=True)
    model = FaastClassifier().fit(X[:1200], y[:1200])
    assert model.n_random_features_ > 0
    pipeline = model.to_pipeline()
    mapping = pipeline.named_steps["random_features"]
    assert isinstance(mapping, RandomFeatureTransformer)
    assert mapping.fit(X) is mapping
    assert mapping.__sklearn_is_fitted__()
    assert np.array_equal(pipeline.predict(X[1200:]), model.predict(X[1200:]))


# -- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tensors", "metadata", "drop", "message"),
    [
        ({}, {"n_features": 0}, (), "n_features must be a positive integer"),
        ({}, {"feature_names": ["a", "b"]}, (), "cannot have the names"),
        ({}, {"settings.prior_count": "many"}, (), "prior_count cannot be 'many'"),
        ({}, {"n_features": 7}, (), "another number of features"),
        ({}, {"head.classes": ["i", 4, 5, 6]}, (), "other classes than were learned"),
        ({}, {"learned.classes": ["i", 4, 5]}, (), "cannot have"),
        ({}, {"head.kind": "labels"}, (), "needs a threshold per label"),
        ({}, {}, ("head.weights",), "weights is missing"),
    ],
)
def test_a_classifier_is_of_one_piece(rows, labels, tensors, metadata, drop, message):
    model = FaastClassifier().fit(rows, labels)
    model.predict(rows)
    with pytest.raises((ValueError, KeyError), match=message):
        forge(model, tensors, metadata, drop)


def class_memory(rows, labels, **settings):
    return FaastClassifier(**settings).fit(rows, labels).learned_


def test_a_memory_of_classes_fits_its_rows(rows, labels):
    named = class_memory(rows, labels, class_embeddings={0: rows[0], 1: rows[1]})
    with pytest.raises(ValueError, match="embedding names a class that is not among"):
        forge(named, metadata={"embeddings.labels": ["i", 7, 8]})
    with pytest.raises(ValueError, match="different widths"):
        forge(named, {"embeddings.vectors": np.ones((2, 4))})
    with pytest.raises(ValueError, match="one vector per label"):
        ClassEmbeddings(np.arange(2), np.ones((3, 4))).validate()
    with pytest.raises(ValueError, match="neither rows nor embeddings"):
        forge(named, drop=["statistics", "embeddings"])
    plain = class_memory(rows, labels)
    sums = plain.to_state().tensors
    doubled = {"statistics.rows.values": 2 * sums["statistics.rows.values"]}
    with pytest.raises(ValueError, match="values of classes must be 0 or 1"):
        forge(plain, doubled)
    assert np.all(find_rows(plain, rows[:2], as_targets(labels[:2])) >= 0)
    empty = ClassMemory.empty(TargetKind.LABEL, 10, False, None, {})
    assert np.all(find_rows(empty, rows, as_targets(labels)) == NEVER_LEARNED)


def test_a_head_fits_what_was_learned(rows, labels):
    model = FaastClassifier(novelty=True).fit(rows, labels)
    head, memory = model._head(), model.learned_
    narrow = FaastClassifier(novelty=True).fit(rows[:, :4], labels)
    with pytest.raises(ValueError, match="statistics are of rows with another number"):
        require_fit(head, narrow.learned_, 5)
    with pytest.raises(ValueError, match="the head reads 5 features, the model 7"):
        require_fit(head, memory, 7)
    require_fit(head, memory, 5)
    with pytest.raises(ValueError, match="cannot have weights of"):
        forge(head, metadata={"classes": ["i", 0, 1]})
    other = FaastClassifier(novelty=True).fit(rows[:, :4], labels)._head()
    parts = {f"novelty.{k}": v for k, v in other.novelty.to_state().tensors.items()}
    with pytest.raises(ValueError, match="rows of different widths"):
        forge(head, parts, {"novelty": other.novelty.to_state().metadata})


def test_a_regressor_is_of_one_piece(rows):
    model = FaastRegressor(Ridge()).fit(rows, rows[:, 0])
    with pytest.raises(ValueError, match="do not fit the features and the outputs"):
        forge(model, metadata={"n_features": 7})
    with pytest.raises(ValueError, match="memory that has learned nothing"):
        forge(model, drop=["learned.statistics"])
    with pytest.raises(ValueError, match="compact"):
        model.compact().partial_fit(rows, rows[:, 0])
    assert np.allclose(forge(model.compact()).predict(rows), model.predict(rows))


def test_weights_of_a_memory_fit_its_moments(rows):
    memory = AssociativeMemory(Ridge()).learn(rows, rows[:, :2])
    _ = memory.weights
    state = memory.to_state()
    name = next(name for name in state.tensors if name.endswith("matrix"))
    bias = name.replace("matrix", "bias")
    with pytest.raises(ValueError, match="fast weights do not fit"):
        forge(memory, {name: np.ones((5, 3)), bias: np.ones(3)})


@pytest.fixture
def stream(rows, labels):
    model = NaturalGradientClassifier(window=8, buffer=4).fit(
        np.tile(rows, (4, 1)), np.tile(labels, 4)
    )
    model.predict(rows)
    return model


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"learned.window": 1}, "at least 2 rows"),
        ({"learned.pass.window": 1}, "at least 2 rows"),
        ({"learned.classes": ["i", 0, 1]}, "cannot have 3 outputs"),
        ({"learned.n_rows": -1.0}, "cannot have 3 outputs"),
        ({"learned.head.classes": ["i", 4, 5, 6]}, "other classes than were learned"),
        ({"learned.pass.chosen": [[99, 1.0]]}, "steps of a pass cannot be"),
        ({"learned.pass.seen": -1}, "holds a sample of them"),
        ({"learned.pass.unit": 0.0}, "in positive units"),
        ({"settings.window": 1}, "at least 2 rows"),
    ],
)
def test_a_pass_is_of_one_piece(stream, metadata, message):
    with pytest.raises(ValueError, match=message):
        forge(stream, metadata=metadata)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("learned.waiting.keys", lambda a: a[:, :-1], "rows that wait to be learned"),
        ("learned.pass.sample.keys", lambda a: a[:, :-1], "sampled rows do not fit"),
        ("learned.pass.fisher.gram", lambda a: a[1:, 1:], "another width"),
        ("learned.pass.fisher.gram", lambda a: 2 * a, "sums over the same rows differ"),
        ("learned.pass.fisher.gram", lambda a: -a, "negative eigenvalues"),
        (
            "learned.pass.fisher.outputs",
            lambda a: a - 1e3,
            "negative eigenvalues",
        ),
    ],
)
def test_sums_of_a_pass_fit_its_weights(stream, name, change, message):
    found = stream.to_state().tensors[name]
    with pytest.raises(ValueError, match=message):
        forge(stream, {name: np.ascontiguousarray(change(found))})


def test_a_stream_says_what_it_holds(stream, rows):
    again = forge(stream)
    assert np.array_equal(again.predict_proba(rows), stream.predict_proba(rows))
    assert again.n_rows_ == 160
    assert again.statistics_ is None
    assert again.nbytes > again.compact().nbytes
    assert len(again.online_losses_) > 0
    assert again.partial_fit(rows[:0], np.zeros(0, np.int64)).n_rows_ == 160
    with pytest.raises(ValueError, match="compact"):
        stream.compact().partial_fit(rows, np.zeros(40, np.int64))
    for name in ("window", "buffer"):
        with pytest.raises(ValueError, match=f"{name} must be at least 2 rows"):
            NaturalGradientClassifier(**{name: 1}).fit(rows, np.arange(40) % 2)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"novelty": "no"}, "novelty must be bool, got 'no'"),
        ({"class_names": 0}, "class_names must be bool or None, got 0"),
        ({"prior_count": True}, "prior_count must be float or int or None, got True"),
        ({"prior_count": -1}, "prior_count must be a finite number, not negative, got -1"),
        ({"prior_count": np.nan}, "prior_count must be a finite number, not negative, got nan"),
    ],
)
def test_parameters_that_no_file_could_hold_are_refused_before_rows_are_learned(
    parameters, message
):
    model = FaastClassifier(**parameters)
    with pytest.raises(ValueError, match=message):
        model.fit(np.eye(2), [0, 1])
    assert not model.is_fitted


def test_a_model_that_could_not_be_loaded_again_is_not_written(tmp_path):
    path = tmp_path / "model.faast"
    model = FaastClassifier().fit(np.eye(2), [0, 1])
    model.save(path)
    before = path.read_bytes()
    model.set_params(novelty="no")
    with pytest.raises(ValueError, match=f"^{path} is not written, .*: novelty cannot be 'no'$"):
        model.save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("model", [FaastClassifier(), NaturalGradientClassifier()])
def test_no_rows_have_no_score(model):
    model.fit(np.eye(3), [0, 1, 0])
    with pytest.raises(ValueError, match="there are no rows to score"):
        model.score(np.zeros((0, 3)), [])


@pytest.mark.parametrize("kind", [FaastClassifier, FaastRegressor])
def test_models_of_other_widths_are_not_merged(kind):
    model = kind().fit(np.eye(4), [0, 1, 0, 1])
    with pytest.raises(ValueError, match="cannot merge models of other columns: 4 and 3 columns"):
        model.merge(kind().fit(np.eye(3), [0, 1, 0]))
    assert model.n_rows_ == 4


def test_a_table_is_answered_by_a_fitted_model():
    with pytest.raises(NotFittedError, match="not fitted yet"):
        FaastClassifier().predict_table({"a": [1.0]})
