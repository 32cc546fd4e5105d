"""Rows collected from a stream are those that a sample of the whole stream holds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from faast._utils.validation import Batch
from faast.core import row_collector
from faast.core.grid import BLOCK_ROWS
from faast.core.moments import Moments
from faast.core.row_hashes import hash_rows
from faast.core.sample import RowSample
from faast.core.sorted_rows import count_enough
from faast.core.statistics import Statistics

D, C = 3, 2


def collected(batches, capacity, maps=False):
    empty = Statistics.empty(Moments(D, C, key_scale=1.0), capacity, maps)
    return empty.sum_batches([Batch(*batch, 0) for batch in batches])


def sample_of(batches, capacity):
    keys, values, weights = (np.concatenate(part) for part in zip(*batches, strict=True))
    units = np.rint(keys * 2.0**20).astype(np.int32)
    return RowSample(units, (values * 2**20).astype(np.int32), weights, capacity)


def assert_same(found, expected):
    assert found.threshold == expected.threshold
    for name in ("keys", "values", "weights", "hashes"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


@st.composite
def streams(draw):
    """Batches whose rows are few different ones, some of weight 0."""
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    n_different = draw(st.sampled_from([1, 5, 40, 2_000]))
    rows = rng.standard_normal((n_different, D)) / 8
    batches = []
    for _ in range(draw(st.sampled_from([1, 20]))):
        chosen = rng.integers(n_different, size=draw(st.integers(1, 20)))
        classes = np.eye(C)[rng.integers(C, size=len(chosen))]
        weights = rng.integers(0, 3, size=len(chosen)).astype(float)
        batches.append((rows[chosen], classes, weights))
    return batches


@settings(max_examples=500, deadline=None)
@given(streams(), st.integers(1, 50), st.integers(0, 9), st.booleans())
def test_a_sample_is_that_of_the_whole_stream(batches, capacity, n_hashes, maps):
    def few_hashes(keys):
        hashes = hash_rows(keys)
        return hashes % np.uint64(n_hashes) if n_hashes else hashes

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(row_collector, "hash_rows", few_hashes)
        patch.setattr("faast.core.sample.hash_rows", few_hashes)
        found = collected(batches, capacity, maps)
        assert_same(found.rows, sample_of(batches, capacity))
        if maps and not found.rows.complete:
            every = collected(batches, 10**6, maps).feature_rows()
            assert_same(found.mapped.rows, every.rows)


def test_equal_rows_of_a_long_stream_take_the_room_of_few():
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((20, D)) / 8
    chosen = rng.integers(20, size=100 * BLOCK_ROWS)
    statistics = Statistics.empty(Moments(D, C), 64, maps=False)
    collector = row_collector.RowCollector(
        statistics.moments, 64, statistics.rows.threshold, False, statistics.rows.threshold
    )
    batch = Batch(rows[chosen], np.eye(C)[chosen % C], None, 0)
    moments = statistics.moments.sum_batches([batch], collector.visit)
    sample, _ = collector.finish(moments)
    assert len(sample) == 20
    assert sample.weights.sum() == len(chosen)
    assert len(collector._columns[0]) <= 4 * BLOCK_ROWS


def test_batches_of_no_rows_change_nothing():
    rng = np.random.default_rng(0)
    batch = Batch(rng.standard_normal((100, D)) / 8, np.eye(C)[np.arange(100) % C], None, 0)
    empty = Statistics.empty(Moments(D, C, value_scale=2.0**20), 30, maps=True)
    full = empty.sum_batches([batch])
    merged = full.merge(full.sum_batches([]))
    for found in (merged, full.unmerge(full.sum_batches([], forgetting=True))):
        assert_same(found.rows, full.rows)
        assert_same(found.mapped.rows, full.mapped.rows)


@pytest.mark.parametrize(("n_blocks", "most"), [(10, 0), (12, 0), (40, 10)])
def test_the_hashes_of_a_sample_are_not_sorted_for_every_block(monkeypatch, n_blocks, most):
    n_sorted = 0

    def counted(hashes, capacity):
        nonlocal n_sorted
        n_sorted += 1
        return count_enough(hashes, capacity)

    monkeypatch.setattr(row_collector, "count_enough", counted)
    rng = np.random.default_rng(0)
    rows = rng.standard_normal((n_blocks * BLOCK_ROWS, D)) / 8
    batch = rows, np.eye(C)[np.arange(len(rows)) % C], np.ones(len(rows))
    found = collected([batch], 10 * BLOCK_ROWS)
    assert n_sorted <= most
    assert_same(found.rows, sample_of([batch], 10 * BLOCK_ROWS))
