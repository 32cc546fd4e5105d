import numpy as np
import pytest

from faast import AssociativeMemory, Discriminant
from faast.solvers.gaussian import GaussianClasses, Metric


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


@pytest.mark.parametrize("shape", [(20, 6), (14, 40)], ids=["primal", "dual"])
@pytest.mark.parametrize("kappa", [0.0, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_leave_one_out_is_what_refitting_without_the_row_gives(shape, kappa, weighted, rng):
    keys, labels = gaussian_rows(rng, *shape)
    copies = rng.integers(1, 4, len(keys)) if weighted else None
    memory = AssociativeMemory(grid=None).learn(keys, np.eye(3)[labels], copies)
    rows = memory.statistics.sampled_rows()
    classes = GaussianClasses.from_moments(memory.moments, rows)
    codes, metric = rows.values.argmax(axis=1), Metric(0.7, 0.4, kappa)
    left_out = classes.left_out(rows).scores(classes.solve(metric))
    for row in range(len(keys)):
        remaining = rows.weights - (np.arange(len(keys)) == row)
        if remaining[codes == codes[row]].sum() == 0:
            continue
        counts = np.bincount(codes, remaining)
        sums = (rows.values * remaining[:, None]).T @ (rows.keys - classes.frame.centre)
        within = rows.keys - classes.frame.centre - (sums / counts[:, None])[codes]
        A = 0.7 * within.T @ (remaining[:, None] * within) + 0.4 * np.eye(shape[1])
        offsets = rows.keys[row] - classes.frame.centre - sums / (counts + kappa)[:, None]
        expected = -0.5 * np.einsum("cd,cd->c", offsets, np.linalg.solve(A, offsets.T).T)
        ours = left_out[row]
        np.testing.assert_allclose(ours - ours[0], expected - expected[0], rtol=1e-8, atol=1e-8)


@pytest.mark.parametrize("shape", [(40, 6), (24, 60)], ids=["primal", "dual"])
def test_parts_of_rows_and_float32_have_the_same_left_out_scores(shape, rng):
    keys, labels = gaussian_rows(rng, *shape, n_classes=8)
    memory = AssociativeMemory(grid=None).learn(keys, np.eye(8)[labels])
    rows = memory.statistics.sampled_rows()
    classes = GaussianClasses.from_moments(memory.moments, rows)
    solved, left_out = classes.solve(Metric(1.0, 0.5, 1.0)), classes.left_out(rows)
    expected = left_out.scores(solved)
    parts = [part.scores(solved) for part in left_out.split(5)]  # fewer rows than classes
    np.testing.assert_allclose(np.concatenate(parts), expected, rtol=1e-9, atol=1e-9)
    rough = left_out.scores(solved, np.float32)
    assert rough.dtype == np.float32
    np.testing.assert_allclose(rough, expected, rtol=1e-3, atol=1e-3)


def test_float32_is_used_only_while_it_tells_classes_apart(rng):
    keys, labels = gaussian_rows(rng)
    precisions = []
    for distance in (1.0, 1e4):
        far = keys + distance * np.eye(3, 6)[labels]
        memory = AssociativeMemory(grid=None).learn(far, np.eye(3)[labels])
        classes = GaussianClasses.from_moments(memory.moments)
        precisions.append(classes.solve(Metric(1.0, 0.1, 1.0)).precision)
    assert precisions == [np.float32, np.float64]


def test_values_that_are_no_classes_are_refused(rng):
    memory = AssociativeMemory(Discriminant()).learn(rng.random((9, 3)), rng.random((9, 2)))
    with pytest.raises(ValueError, match="needs classes as values"):
        memory.read(np.zeros((1, 3)))


@pytest.mark.parametrize("shrinkage", [0.0, 1.5, "gcv"])
def test_impossible_shrinkages_are_refused(shrinkage):
    with pytest.raises(ValueError, match="shrinkage must be"):
        Discriminant(shrinkage)
