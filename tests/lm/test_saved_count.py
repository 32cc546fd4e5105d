"""What a file of memories tells of their size, beside what the model itself says."""

import pytest

from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.memory_folder import read
from faast.lm.saved_count import count_saved_pairs


@pytest.mark.parametrize(
    "config",
    [
        MemoryConfig(),
        MemoryConfig(recall=True),
        MemoryConfig(output=None, recall=True),
        MemoryConfig("pseudoinverse"),
        MemoryConfig.paper(1, buffer_size=32, block_size=16),
    ],
    ids=str,
)
def test_a_file_tells_how_much_was_learned(tmp_path, llama, tokens, config):
    model = FaastForCausalLM(llama, config).learn(tokens)
    model.save_pretrained(tmp_path / "memory")
    (state,) = read(tmp_path / "memory").memories.values()
    assert count_saved_pairs(state) == model.memory_size > 0
