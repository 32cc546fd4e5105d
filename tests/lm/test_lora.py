import json

import pytest
import safetensors.torch
import torch

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.exceptions import FoldingError
from faast.lm.lora import CONFIG_FILE, WEIGHTS_FILE
from tests.lm.models import VOCABULARY

WIDTH = 32


@pytest.fixture
def natural(llama, tokens):
    return FaastForCausalLM.from_base(llama).learn(tokens)


def apply(model, tokens, folder):
    """Logits of the plain model with an adapter, by the definition of LoRA."""
    config = json.loads((folder / CONFIG_FILE).read_text())
    weights = safetensors.torch.load_file(folder / WEIGHTS_FILE)
    down, up = (weights[f"base_model.model.lm_head.lora_{part}.weight"] for part in "AB")
    seen = []
    handle = model.lm_head.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    logits = model(tokens).logits
    handle.remove()
    return logits + seen[0] @ down.T @ up.T * (config["lora_alpha"] / config["r"])


@torch.no_grad()
def test_at_full_rank_nothing_is_lost_and_less_rank_loses_more(natural, tokens, tmp_path):
    expected = natural(tokens).logits
    for rank in (1, 8, WIDTH):
        natural.to_lora(tmp_path / str(rank), rank=rank)
    plain = natural.detach()
    errors = [(apply(plain, tokens, tmp_path / str(rank)) - expected).norm() for rank in (1, 8)]
    assert errors[0] > errors[1]
    assert errors[1] < (plain(tokens).logits - expected).norm()
    full = apply(plain, tokens, tmp_path / str(WIDTH))
    torch.testing.assert_close(full, expected, rtol=1e-3, atol=1e-3)


def test_the_layout_is_the_one_that_servers_read(natural, tmp_path):
    natural.to_lora(tmp_path, rank=4)
    assert sorted(path.name for path in tmp_path.iterdir()) == [CONFIG_FILE, WEIGHTS_FILE]
    config = json.loads((tmp_path / CONFIG_FILE).read_text())
    assert config["peft_type"] == "LORA"
    assert config["target_modules"] == ["lm_head"]
    assert (config["r"], config["lora_alpha"], config["bias"]) == (4, 4, "none")
    weights = safetensors.torch.load_file(tmp_path / WEIGHTS_FILE)
    assert {name: tuple(part.shape) for name, part in weights.items()} == {
        "base_model.model.lm_head.lora_A.weight": (4, WIDTH),
        "base_model.model.lm_head.lora_B.weight": (VOCABULARY, 4),
    }


@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`:FutureWarning")
@torch.no_grad()
def test_peft_loads_it(natural, tokens, tmp_path):
    peft = pytest.importorskip("peft", reason="peft is not installed (extra bench)")
    expected = natural(tokens).logits
    natural.to_lora(tmp_path)  # nothing is lost by default
    adapted = peft.PeftModel.from_pretrained(natural.detach(), tmp_path)
    torch.testing.assert_close(adapted(tokens).logits, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("config", [MemoryConfig("pseudoinverse"), MemoryConfig(recall=True)])
def test_what_is_not_linear_says_so_and_writes_nothing(llama, tokens, tmp_path, config):
    model = FaastForCausalLM.from_base(llama, config).learn(tokens)
    with pytest.raises(FoldingError):
        model.to_lora(tmp_path / "adapter")
    assert not (tmp_path / "adapter").exists()


def test_ranks_biases_and_full_folders_are_refused(natural, gpt2, tokens, tmp_path):
    for rank in (0, WIDTH + 1):
        with pytest.raises(ValueError, match="between 1 and the width"):
            natural.to_lora(tmp_path, rank=rank)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError):
        natural.to_lora(tmp_path)
    with pytest.raises(FoldingError, match="by a bias"):
        FaastForCausalLM.from_base(gpt2).learn(tokens).to_lora(tmp_path / "other")
    with pytest.raises(FoldingError, match="learned nothing"):
        natural.reset().to_lora(tmp_path / "other")
