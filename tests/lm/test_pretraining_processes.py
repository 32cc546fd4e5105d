"""Readouts pretrained by two processes, as `torchrun` or `accelerate launch` starts them."""

import subprocess
import sys

import safetensors.torch
import torch

SCRIPT = """
import sys
import torch
from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.pretraining import paper_arguments, pretrain

base, rows, folder = sys.argv[1:]
torch.set_num_threads(1)
model = FaastForCausalLM.from_base(base, MemoryConfig.paper(1, 1.0))
windows = [{"input_ids": row} for row in torch.load(rows)]
arguments = paper_arguments(
    folder, use_cpu=True, learning_rate=0.02, warmup_steps=0, max_steps=3, save_steps=3,
    per_device_train_batch_size=2,
)
pretrain(model, windows, arguments)
weights = model.readouts.state_dict()
torch.save(weights, f"{folder}/readouts-{arguments.process_index}.pt")
"""


def test_processes_agree_on_readouts_and_learn_rows_of_their_own(llama, tokens, tmp_path):
    llama.save_pretrained(tmp_path / "base")
    torch.save(tokens, tmp_path / "rows.pt")
    (tmp_path / "script.py").write_text(SCRIPT)
    command = ["torch.distributed.run", "--standalone", "--nproc-per-node=2", "script.py"]
    subprocess.run(
        [sys.executable, "-m", *command, "base", "rows.pt", "out"], cwd=tmp_path, check=True
    )
    first, second = (torch.load(tmp_path / "out" / f"readouts-{i}.pt") for i in (0, 1))
    assert first.keys() == second.keys()
    assert all(torch.equal(weight, second[name]) for name, weight in first.items())
    assert bool(first["0.out_proj.weight"].any())
    buffers = [
        safetensors.torch.load_file(
            tmp_path / "out" / "checkpoint-3" / f"memories-{i}" / "memory.safetensors"
        )
        for i in (0, 1)
    ]
    assert buffers[0].keys() == buffers[1].keys()
    keys = next(name for name in buffers[0] if "memories" in name and name.endswith("keys"))
    assert not torch.equal(buffers[0][keys], buffers[1][keys])
