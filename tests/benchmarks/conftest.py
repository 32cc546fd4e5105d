"""The tiny models of the language-model tests; nothing is collected without torch."""

import importlib.util

if importlib.util.find_spec("torch") and importlib.util.find_spec("transformers"):
    from tests.lm.conftest import gpt2 as gpt2
    from tests.lm.conftest import llama as llama
    from tests.lm.conftest import tokens as tokens
else:
    collect_ignore_glob = ["test_*.py"]
