"""A GGUF file is a backbone like a folder: learned on, saved by its path, found again, folded."""

import pytest
import torch

from faast.lm import FaastForCausalLM
from faast.lm.architecture import load_base
from faast.lm.folders import resolve_source
from faast.lm.gguf import transformers_arguments
from tests.lm.models import tiny

pytest.importorskip("gguf", reason="gguf is not installed (extra gguf)")
pytestmark = pytest.mark.filterwarnings("ignore")  # of numpy, in gguf

SIZES = {"intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 64}


@pytest.fixture
def qwen():
    return tiny("qwen2", tie_word_embeddings=False, **SIZES)


@pytest.fixture
def file(qwen, tmp_path):
    from tests.lm.gguf_files import write_gguf

    (tmp_path / "models").mkdir()
    return write_gguf(qwen, tmp_path / "models" / "tiny.gguf")


@torch.no_grad()
def logits(model, tokens):
    return model(tokens).logits


def test_it_has_the_numbers_of_the_model_it_was_written_from(qwen, file, tokens):
    expected = logits(FaastForCausalLM.from_base(qwen).learn(tokens), tokens)
    for source, arguments in [
        (file, {}),
        (str(file), {}),
        (file.parent, {}),  # its only model
        (file.parent, {"gguf_file": file.name}),
    ]:
        model = FaastForCausalLM.from_base(source, **arguments)
        assert torch.equal(logits(model.learn(tokens), tokens), expected)


def test_a_memory_finds_its_file_and_folds_into_a_plain_model(file, tokens, tmp_path):
    model = FaastForCausalLM.from_base(file).learn(tokens)
    expected = logits(model, tokens)
    model.save_pretrained(tmp_path / "memory")
    again = FaastForCausalLM.from_pretrained(tmp_path / "memory")
    assert again.base.name_or_path == str(file)
    assert torch.equal(logits(again, tokens), expected)
    again.fold().save_pretrained(tmp_path / "folded")
    plain = load_base(tmp_path / "folded")
    torch.testing.assert_close(logits(plain, tokens), expected, rtol=1e-3, atol=1e-3)


def test_a_memory_of_the_file_loads_on_the_model_and_where_the_file_has_moved(
    qwen, file, tokens, tmp_path
):
    model = FaastForCausalLM.from_base(file).learn(tokens)
    expected = logits(model, tokens)
    model.save_pretrained(tmp_path / "memory")
    moved = file.rename(tmp_path / "moved.gguf")
    with pytest.raises(FileNotFoundError, match=r"tiny.gguf .*give base="):
        FaastForCausalLM.from_pretrained(tmp_path / "memory")
    for base in (moved, qwen):
        again = FaastForCausalLM.from_pretrained(tmp_path / "memory", base=base)
        assert torch.equal(logits(again, tokens), expected)


def test_several_files_have_to_be_named(file, tokens):
    other = file.parent / "other.gguf"
    other.write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match=r"several models \(other.gguf, tiny.gguf\); name one"):
        FaastForCausalLM.from_base(file.parent)
    model = FaastForCausalLM.from_base(file.parent, gguf_file="other.gguf")
    assert model.base.name_or_path == str(other)


def test_a_file_in_a_repository_is_named_behind_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = resolve_source("owner/repository/q4.gguf")
    assert transformers_arguments(source) == {
        "pretrained_model_name_or_path": "owner/repository",
        "gguf_file": "q4.gguf",
    }
    (tmp_path / "owner" / "repository").mkdir(parents=True)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        resolve_source("owner/repository/q4.gguf")
