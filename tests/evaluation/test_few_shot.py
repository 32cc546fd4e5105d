import numpy as np
import pytest

from faast.evaluation.few_shot import Episodes, few_shot, halve_classes
from faast.evaluation.measure import OURS


@pytest.fixture
def clouds(rng):
    """Return 4 classes of 40 unit rows each."""
    labels = np.repeat(np.array(["a", "b", "c", "d"]), 40)
    rows = rng.standard_normal((4, 10))[np.repeat(np.arange(4), 40)]
    rows = rows + 0.5 * rng.standard_normal((160, 10))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), labels


def test_an_episode_has_its_shots_and_queries_of_each_way(clouds):
    _, labels = clouds
    for support, queries in Episodes(5, ways=3, shots=2, queries=7).draw(labels, labels):
        classes, counts = np.unique(labels[support], return_counts=True)
        assert len(classes) == 3
        assert set(counts) == {2}
        assert np.array_equal(np.unique(labels[queries]), classes)
        assert len(np.unique(queries)) == 21


def test_an_episode_depends_on_seed_and_number_alone(clouds):
    _, labels = clouds
    few, many = (list(Episodes(n, shots=2, queries=3, seed=4).draw(labels, labels)) for n in (2, 5))
    assert np.array_equal(few[1][0], many[1][0])
    other = next(Episodes(1, shots=2, queries=3, seed=5).draw(labels, labels))
    assert not np.array_equal(few[0][0], other[0])


def test_methods_learn_clouds_and_intervals_shrink_with_episodes(clouds):
    *_, found = few_shot(clouds, clouds, [OURS, "nearest-mean"], Episodes(12, shots=5, queries=10))
    for result in found.values():
        mean, half = result.interval
        assert mean > 0.8
        assert half == pytest.approx(1.96 * np.std(result.accuracies) / np.sqrt(12))


@pytest.mark.parametrize(
    ("episodes", "message"),
    [
        (Episodes(1, ways=9), "ways must be in 2 to 4"),
        (Episodes(1, shots=41), "class 'a' has 40 rows, fewer than 41 shots per class"),
        (Episodes(1, queries=0), "queries must be at least 1"),
    ],
)
def test_what_cannot_be_drawn_is_refused(clouds, episodes, message):
    with pytest.raises(ValueError, match=message):
        next(episodes.draw(clouds[1], clouds[1]))


def test_halves_of_each_class():
    labels = np.array([0, 1] * 5 + [1, 1])
    learned, asked = halve_classes(labels)
    assert np.array_equal(np.sort(np.concatenate([learned, asked])), np.arange(12))
    assert np.bincount(labels[learned]).tolist() == [2, 3]
