import numpy as np
import pytest

from faast import AssociativeMemory, Discriminant
from faast.solvers.discriminant import GaussianClasses
from faast.solvers.spectrum import rows_in_units


def gaussian_rows(rng, n_rows=45, n_features=6, n_classes=3):
    labels = rng.integers(0, n_classes, n_rows)
    labels[:n_classes] = np.arange(n_classes)
    means = rng.standard_normal((n_classes, n_features))
    return means[labels] + 0.7 * rng.standard_normal((n_rows, n_features)), labels


def scores_directly(keys, labels, shrinkage, queries, degrees=None, floor=None):
    counts = np.bincount(labels)
    means = np.stack([keys[labels == c].mean(axis=0) for c in range(len(counts))])
    centred = keys - means[labels]
    degrees = len(keys) - len(counts) if degrees is None else degrees
    scatter = centred.T @ centred / degrees
    floor = shrinkage * np.trace(scatter) / keys.shape[1] if floor is None else floor
    precision = np.linalg.inv((1 - shrinkage) * scatter + floor * np.eye(keys.shape[1]))
    offsets = queries[:, None, :] - means
    distances = np.einsum("qcd,de,qce->qc", offsets, precision, offsets)
    return np.log(counts / len(keys)) - distances / 2, floor


@pytest.mark.parametrize("n_features", [6, 120], ids=["primal", "dual"])
@pytest.mark.parametrize("shrinkage", [0.05, 0.5, 1.0])
def test_scores_are_gaussian_log_likelihoods(n_features, shrinkage, rng):
    keys, labels = gaussian_rows(rng, n_features=n_features)
    queries = rng.standard_normal((10, n_features))
    memory = AssociativeMemory(Discriminant(shrinkage), grid=None).learn(keys, np.eye(3)[labels])
    expected, _ = scores_directly(keys, labels, shrinkage, queries)
    ours = memory.read(queries)
    np.testing.assert_allclose(ours - ours[:, :1], expected - expected[:, :1], rtol=1e-8, atol=1e-8)


def test_leave_one_out_is_what_refitting_without_the_row_gives(rng):
    keys, labels = gaussian_rows(rng, n_rows=20)
    memory = AssociativeMemory(grid=None).learn(keys, np.eye(3)[labels])
    classes = GaussianClasses.of(memory.moments, memory.rows)
    rows = rows_in_units(memory.moments, memory.rows)
    codes = rows.values.argmax(axis=1)
    left_out = classes.loo_scores(rows, 0.3)
    _, floor = scores_directly(rows.keys, codes, 0.3, rows.keys)
    for row in range(20):
        rest = np.arange(20) != row
        if (codes[rest] == codes[row]).any():
            expected, _ = scores_directly(
                rows.keys[rest], codes[rest], 0.3, rows.keys[[row]], degrees=17, floor=floor
            )
            ours = left_out[row]
            np.testing.assert_allclose(ours - ours[0], expected[0] - expected[0, 0], atol=1e-8)


def test_values_that_are_no_classes_are_refused(rng):
    memory = AssociativeMemory(Discriminant()).learn(rng.random((9, 3)), rng.random((9, 2)))
    with pytest.raises(ValueError, match="needs classes as values"):
        memory.read(np.zeros((1, 3)))


@pytest.mark.parametrize("shrinkage", [0.0, 1.5, "gcv"])
def test_impossible_shrinkages_are_refused(shrinkage):
    with pytest.raises(ValueError, match="shrinkage must be"):
        Discriminant(shrinkage)
