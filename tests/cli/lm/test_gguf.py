"""`faast lm` with a model in a GGUF file, which holds its tokenizer as well."""

import pytest

from tests.lm.models import tiny

pytest.importorskip("gguf", reason="gguf is not installed (extra gguf)")
pytestmark = pytest.mark.filterwarnings("ignore")  # of numpy, in gguf


@pytest.fixture
def file(folder):
    from tests.lm.gguf_files import write_gguf

    sizes = {"intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 64}
    return write_gguf(tiny("qwen2", tie_word_embeddings=False, **sizes), folder / "tiny.gguf")


def test_it_is_taught_asked_moved_and_folded(folder, file, facts, run):
    facts("lm", "learn", "tiny.gguf", "plays.txt", "-o", "plays", cwd=folder)
    before = facts("lm", "perplexity", "tiny.gguf", "plays.txt", cwd=folder)
    after = facts("lm", "perplexity", "plays", "plays.txt", cwd=folder)
    assert after["perplexity"] < 0.5 * before["perplexity"]
    facts("lm", "fold", "plays", "-o", "folded", cwd=folder)
    folded = facts("lm", "perplexity", "folded", "plays.txt", cwd=folder)
    assert folded["perplexity"] == pytest.approx(after["perplexity"], rel=1e-3)
    file.rename(folder / "moved.gguf")
    lost = run("lm", "perplexity", "plays", "plays.txt", cwd=folder)
    assert lost.exit_code == 1
    assert "--base" in lost.stderr
    found = facts("lm", "perplexity", "plays", "plays.txt", "--base", "moved.gguf", cwd=folder)
    assert found["perplexity"] == after["perplexity"]
