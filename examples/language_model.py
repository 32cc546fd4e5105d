"""Teach a language model a text in one forward pass, and fold it into a plain model.

Run ``python examples/language_model.py``; it needs the extra ``lm``. The model is a small random
GPT-2 whose tokens are bytes. For a real one, write ``FaastForCausalLM.from_base("NAME")`` and take
the tokens from its tokenizer.
"""

import torch
from transformers import GPT2Config, GPT2LMHeadModel

from faast.evaluation.lm.perplexity import perplexity
from faast.lm import FaastForCausalLM

TEXT = "the king rode to the sea and the sea sang to the king " * 40
WINDOW = 64


def random_model() -> GPT2LMHeadModel:
    """Return an untrained GPT-2 of two blocks."""
    torch.manual_seed(0)
    config = GPT2Config(
        vocab_size=256, n_positions=128, n_embd=64, n_layer=2, n_head=4,
        bos_token_id=None, eos_token_id=None,
    )  # fmt: skip
    return GPT2LMHeadModel(config).eval()


def main() -> None:
    """Learn three quarters of the text; ask about the rest."""
    tokens = torch.tensor(list(TEXT.encode()))
    windows = tokens[: len(tokens) // WINDOW * WINDOW].view(-1, WINDOW)
    held_out = tokens[24 * WINDOW :]

    model = FaastForCausalLM.from_base(random_model())
    print(f"perplexity before: {perplexity(model, held_out, WINDOW):.1f}")
    model.learn(windows[:24])
    print(f"perplexity after:  {perplexity(model, held_out, WINDOW):.1f}")

    prompt = torch.tensor([list(b"the k")])
    options = {"max_new_tokens": 20, "do_sample": False, "pad_token_id": 0}
    answer = model.generate(prompt, **options)
    print("continued:        ", bytes(answer[0].tolist()).decode())

    plain = model.fold()
    folded = plain.generate(prompt, **options)
    print("folded, the same: ", torch.equal(folded, answer))


if __name__ == "__main__":
    main()
