"""Examples in docstrings give what they show."""

import doctest
import importlib

import pytest

MODULES = [
    "faast.estimators.encoded",
    "faast.estimators.memory",
    "faast.estimators.classifier",
    "faast.estimators.regressor",
]


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    results = doctest.testmod(importlib.import_module(name))
    assert results.attempted
    assert not results.failed
