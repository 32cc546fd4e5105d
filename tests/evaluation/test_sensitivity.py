from faast.evaluation.sensitivity import sweep_alpha


def test_every_exponent_beside_ours(unit_rows):
    rows, onehot = unit_rows
    labels = onehot.argmax(axis=1)
    (sweep,) = sweep_alpha([(rows, labels)], (rows, labels), alphas=(0.2, 0.8))
    assert set(sweep.alphas) == {0.2, 0.8}
    assert sweep.spread == abs(sweep.alphas[0.2] - sweep.alphas[0.8])
    assert 0 <= sweep.ours <= 1
