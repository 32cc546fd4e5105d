"""Checkpoints in the layout of the paper's code, built from golden numbers."""

import json

import pytest
import safetensors.torch
import torch

from faast.core.persistence import ModelFileError
from faast.lm import FaastForCausalLM
from tests.lm.test_golden import CASES, Golden, relative_error


@pytest.fixture(params=[CASES[1], CASES[4]])
def golden(request, shared):
    return Golden(shared / "golden" / f"lm_{request.param}.safetensors")


@pytest.fixture
def checkpoint(golden, tmp_path):
    """A folder as the authors publish one, and a folder with its backbone's configuration."""
    memory = golden.metadata["memory"]
    fields = {
        "base_model": "somewhere/else",
        "num_layers": memory["num_layers"],
        "reader_type": "fastweight",
        "max_memory_size": memory["max_memory_size"],
        "reader_update_size": memory["reader_update_size"],
        "reader_update_discount": 0.9,
        "reader_update_alpha": memory["alpha"],
    }
    folder = tmp_path / "published"
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(fields))
    safetensors.torch.save_file(golden.states("state."), folder / "model.safetensors")
    golden.base_config.save_pretrained(tmp_path / "base")
    return folder, tmp_path / "base"


@torch.no_grad()
def test_a_published_checkpoint_reads_as_paper_mode(golden, checkpoint):
    folder, base = checkpoint
    model = FaastForCausalLM.from_pretrained(folder, base=base)
    model.learn(**golden.batch(0)).learn(**golden.batch(1))
    logits = model(golden["query.input_ids"]).logits
    assert relative_error(logits, golden["logits.after.1"]) <= 1e-4


@torch.no_grad()
def test_what_is_written_reads_back(golden, checkpoint, tmp_path):
    folder, base = checkpoint
    model = FaastForCausalLM.from_pretrained(folder, base=base)
    model.save_paper_checkpoint(tmp_path / "again")
    names = safetensors.torch.load_file(tmp_path / "again" / "model.safetensors").keys()
    assert names == golden.states("state.").keys()
    again = FaastForCausalLM.from_pretrained(tmp_path / "again", base=base)
    assert again.memory_config == model.memory_config
    query = golden["query.input_ids"]
    expected = model.learn(**golden.batch(0))(query).logits
    assert torch.equal(again.learn(**golden.batch(0))(query).logits, expected)


def test_incomplete_checkpoints_are_refused(checkpoint):
    folder, base = checkpoint
    tensors = safetensors.torch.load_file(folder / "model.safetensors")
    scorer = "external.layers.0.memory_reader.scorer.weight"
    for missing in (scorer, next(name for name in tensors if "norm" in name or "ln_1" in name)):
        left = {name: tensor for name, tensor in tensors.items() if name != missing}
        safetensors.torch.save_file(left, folder / "model.safetensors")
        with pytest.raises(ModelFileError, match="lacks"):
            FaastForCausalLM.from_pretrained(folder, base=base)
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match="pickled"):
        FaastForCausalLM.from_pretrained(folder, base=base)
    (folder / "config.json").write_text('{"model_type": "gpt2"}')
    with pytest.raises(ModelFileError, match="reader_type"):
        FaastForCausalLM.from_pretrained(folder, base=base)
