"""The paper's solver against numbers of the authors' implementation."""

import numpy as np
import pytest
from safetensors.numpy import load_file

from faast import AssociativeMemory, PseudoInverse

CASES = ["10way_1shot", "20way_5shot", "20way_30shot", "5way_200shot_highdim"]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize(("grid", "tolerance"), [(None, 1e-4), (20, 1e-3)])
def test_pseudo_inverse_matches_the_published_implementation(shared, case, grid, tolerance):
    golden = load_file(shared / "golden" / f"vision_{case}.safetensors")
    memory = AssociativeMemory(PseudoInverse(alpha=0.8), grid=grid)
    memory.learn(golden["keys"], golden["values"])
    expected = golden["inverse.W"].T
    error = np.linalg.norm(memory.weights.matrix - expected) / np.linalg.norm(expected)
    assert error <= tolerance
