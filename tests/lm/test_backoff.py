"""Back-off weights trust short contexts as far as documents that are left out agree on them."""

import numpy as np
import pytest

from faast.lm.backoff import SHORT_LENGTHS, BackoffWeights, Evidence
from faast.lm.ngrams import N_LENGTHS

TOKENS = 200
MODEL = np.full(TOKENS, 0.1)
"""What the model gives each token."""


def evidence(share, length):
    """Return that contexts of a length were seen 100 times, `share` of them before the token."""
    total = np.zeros((TOKENS, N_LENGTHS), np.int64)
    total[:, length] = 100
    return Evidence(total, total // 2, np.rint(share * total).astype(np.int64))


def mean_weight(shares, length):
    found = BackoffWeights.fit([MODEL] * len(shares), [evidence(s, length) for s in shares])
    return float(found.shares(evidence(0.0, length).kinds).contexts[:, length].mean())


SOME = [0.5, 0.45, 0.0, 0.0, 0.05, 0.5, 0.0, 0.0]
"""Documents of which few gain much and most lose a little, as in text with neighbours."""


@pytest.mark.parametrize("length", [0, SHORT_LENGTHS - 1])
def test_short_contexts_are_trusted_where_all_documents_gain(length):
    assert mean_weight([0.5] * 8, length) > 0.5
    assert mean_weight([0.4, 0.5, 0.6, 0.5], length) > 0.4


@pytest.mark.parametrize("length", [0, SHORT_LENGTHS - 1])
def test_short_contexts_are_trusted_less_where_documents_do_not_agree(length):
    longer = mean_weight(SOME, SHORT_LENGTHS)
    assert longer > 0.1
    assert mean_weight(SOME, length) <= longer / 2


def test_short_contexts_that_foretell_what_the_model_does_are_not_needed():
    assert mean_weight([0.1] * 8, 0) == 0.0


def test_one_document_cannot_disagree():
    assert mean_weight([0.5], 0) > 0.5
