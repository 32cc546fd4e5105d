"""`faast lm perplexity`: measure how well a model predicts texts."""

from __future__ import annotations

import time

from faast._utils.progress import spinner
from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._model import load_model
from faast.cli.lm._options import RUNTIME, Base, ModelName, Runtime, Split, Texts, Window
from faast.cli.lm._texts import read_documents


def perplexity(
    model: ModelName,
    texts: Texts,
    window: Window = None,
    split: Split = None,
    base: Base = None,
    runtime: Runtime = RUNTIME,
    json: Json = False,
) -> None:
    """Measure how well texts are predicted.

    A perplexity of 20 says that the model is as unsure of each next token as if it had to choose
    among 20: lower is better. (It is the exponential of the mean loss per token.) The texts are
    joined and cut into windows that do not overlap. The first token of each window is not
    predicted, and tokens at the end that do not fill a window are left out.
    """
    started = time.perf_counter()
    loaded = load_model(model, base, runtime)
    import torch

    from faast.evaluation.lm import perplexity as evaluation

    documents = read_documents(texts, loaded.tokenizer, split)
    tokens = torch.cat([document.tokens for document in documents]).to(loaded.model.device)
    length = loaded.window_length(window)
    with spinner("Measuring"):
        value = evaluation.perplexity(loaded.model, tokens, length, runtime.batch_size)
    emit(
        {
            "perplexity": value,
            "tokens": len(tokens),
            "windows": len(tokens) // length,
            "window": length,
            "learned_tokens": loaded.model.memory_size,
            "seconds": time.perf_counter() - started,
        },
        json,
    )
