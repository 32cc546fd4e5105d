"""Moments over the processes of torch.distributed: two processes on this machine, through gloo."""

import multiprocessing
import traceback
from datetime import timedelta

import numpy as np
import pytest

from faast import Moments
from faast.distributed.torch import all_reduce

torch = pytest.importorskip("torch")


def share(rank):
    rows = np.random.default_rng(rank).standard_normal((50 + 30 * rank, 5))
    values = np.eye(3)[rank + np.arange(len(rows)) % 2]
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), values


def exact(rank):
    moments = all_reduce(Moments(5, 3).add(*share(rank)))
    together = Moments(5, 3).add(*share(0)).add(*share(1))
    assert moments == together
    assert moments.exact


def one_without_rows(rank):
    moments = Moments(5, 3)
    if rank:
        moments.add(*share(1))
    assert all_reduce(moments) == Moments(5, 3).add(*share(1))


def plain_sums(rank):
    moments = Moments(5, 3, grid=20 if rank else None)
    with pytest.raises(ValueError, match=r"whose grid differs between processes: \[None, 20\]"):
        all_reduce(moments)
    halves = all_reduce(Moments(5, 3).add(*share(rank), weights=np.full(50 + 30 * rank, 0.5)))
    together = Moments(5, 3).add(*share(0)).add(*share(1))
    assert not halves.exact
    np.testing.assert_allclose(halves.gram, together.gram / 2, rtol=1e-12)


def other_scales(rank):
    moments = Moments(5, 3, key_scale=1.0 + rank).add(*share(rank))
    before = moments.copy()
    with pytest.raises(ValueError, match=r"different key scales \(1.0 and 2.0\)"):
        all_reduce(moments)
    assert moments == before


def other_widths(rank):
    with pytest.raises(
        ValueError, match=r"n_values\) differs between processes: \[\(5, 3\), \(5, 4\)\]"
    ):
        all_reduce(Moments(5, 3 + rank))


def overflow(rank):
    moments = Moments(1, 1).add([[1.0]], [[1.0]], weights=[2.0**12])
    while moments.gram[0, 0] < 2.0**22:
        moments.merge(moments)
    before = moments.copy()
    with pytest.raises(OverflowError, match="key_square_sum over all processes does not fit"):
        all_reduce(moments)
    assert moments == before


CASES = [exact, one_without_rows, plain_sums, other_scales, other_widths, overflow]


def run_cases(rank, port_file, failures):
    torch.distributed.init_process_group(
        "gloo",
        init_method=f"file://{port_file}",
        rank=rank,
        world_size=2,
        timeout=timedelta(seconds=60),
    )
    for case in CASES:
        try:
            case(rank)
        except BaseException:
            failures.put((case.__name__, rank, traceback.format_exc()))
            break
    torch.distributed.destroy_process_group()
    failures.put(None)


def test_two_processes_agree(tmp_path):
    context = multiprocessing.get_context("spawn")
    failures = context.Queue()
    processes = [
        context.Process(target=run_cases, args=(rank, tmp_path / "meeting", failures))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    found = [failures.get(timeout=120) for _ in range(2)]
    for process in processes:
        process.join(60)
    assert found == [None, None], found[0] or found[1]


def test_without_a_process_group_it_says_what_to_do():
    with pytest.raises(RuntimeError, match="start the script with torchrun"):
        all_reduce(Moments(2, 1))
