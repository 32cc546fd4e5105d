"""The paper's readers against numbers of its published implementation."""

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from faast.evaluation.baselines import (
    LinearAttention,
    NearestNeighbours,
    PaperFaast,
    SoftmaxMemory,
    ZeroShot,
)

ROOT = Path(__file__).parents[3]
GOLDEN = Path(os.environ.get("FAAST_SHARED", ROOT.parent / "shared")) / "golden"
FILES = sorted(GOLDEN.glob("vision_*.safetensors"))
READERS = {
    "knn": NearestNeighbours,
    "softmax": SoftmaxMemory,
    "linear": LinearAttention,
    "inverse": PaperFaast,
}

pytestmark = pytest.mark.skipif(not FILES, reason=f"no golden numbers in {GOLDEN}")


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def golden(request):
    return load_file(request.param)


def class_embeddings(golden):
    return dict(enumerate(golden["class_embeddings"]))


def assert_close(ours, theirs, atol=None):
    """Compare to 1e-4 of the largest number, or to the given bound."""
    atol = 1e-4 * np.abs(theirs).max() if atol is None else atol
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=atol)


def linear_rounding(golden):
    """Bound the float32 rounding of the published linear read.

    It subtracts the mean value from an average that differs from it by a thousandth: what is
    left is only as accurate as a few float32 roundings of that mean.
    """
    return 8 * np.finfo(np.float32).eps * np.abs(golden["values"].mean(axis=0)).max()


@pytest.mark.parametrize("reader", READERS)
def test_read(golden, reader):
    model = READERS[reader](class_embeddings(golden)).fit(golden["keys"], golden["labels"])
    atol = linear_rounding(golden) if reader == "linear" else None
    assert_close(model.read(golden["queries"]), golden[f"{reader}.prediction"], atol)


@pytest.mark.parametrize("prior_count", [0, 40], ids=["no-prior", "prior"])
@pytest.mark.parametrize("reader", READERS)
def test_class_scores(golden, reader, prior_count):
    n_classes = len(golden["class_embeddings"])
    theirs = golden[f"{reader}.N0_{prior_count * n_classes}.logits"]
    model = READERS[reader](class_embeddings(golden), prior_count=prior_count * n_classes)
    model.fit(golden["keys"], golden["labels"])
    atol = None
    if reader == "linear" and prior_count == 0:
        # |unit(p + e) - unit(p)| <= 2 |e| / |p|
        read = golden["linear.prediction"]
        error = linear_rounding(golden) * np.sqrt(read.shape[1])
        atol = 100 * 2 * error / np.linalg.norm(read, axis=1).min()
    assert_close(model.decision_function(golden["queries"]), theirs, atol)


def test_default_prior_counts_forty_rows_a_class(golden):
    model = PaperFaast(class_embeddings(golden)).fit(golden["keys"], golden["labels"])
    theirs = golden[f"inverse.N0_{40 * len(golden['class_embeddings'])}.logits"]
    assert_close(model.decision_function(golden["queries"]), theirs)


def test_weights(golden):
    model = PaperFaast(class_embeddings(golden)).fit(golden["keys"], golden["labels"])
    assert_close(model.weights_, golden["inverse.W"].T)


def test_zero_shot(golden):
    model = ZeroShot(class_embeddings(golden)).fit(golden["keys"], golden["labels"])
    assert_close(model.decision_function(golden["queries"]), golden["zeroshot.logits"])
