"""`faast lm pretrain`: train the readouts of the published method, once for each model."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from faast._utils.transformers_logging import silence_transformers
from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._model import LoadedModel, check_new_folder, load_tokenizer
from faast.cli.lm._options import Window
from faast.cli.lm._text_files import find_sources, read_text


def pretrain(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Hugging Face model (its name or a folder).",
            show_default=False,
        ),
    ],
    texts: Annotated[
        list[str],
        typer.Argument(
            metavar="TEXTS",
            help="Text files, or folders of them (.txt, .md); each file is one document. - reads "
            "text from standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="Folder to write checkpoints and the result to.",
            show_default=False,
        ),
    ],
    middle_layers: Annotated[
        int, typer.Option(min=1, help="Number of memories to place between the model's blocks.")
    ] = 1,
    alpha: Annotated[
        float,
        typer.Option(
            help="Spectral filter of the memories after training: with N learned tokens, singular "
            "values below N^-alpha times the largest are dropped."
        ),
    ] = 1.0,
    window: Window = None,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Number of windows per step and process.")
    ] = 8,
    epochs: Annotated[float, typer.Option(help="Number of passes over the texts.")] = 1.0,
    learning_rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 2e-5,
    warmup_steps: Annotated[int, typer.Option(min=0, help="Number of warm-up steps.")] = 500,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16.")] = False,
    recompute: Annotated[
        bool,
        typer.Option(
            "--recompute",
            help="Use less memory and more time: recompute activations in the backward pass.",
        ),
    ] = False,
    save_steps: Annotated[
        int, typer.Option(min=1, help="Number of steps between checkpoints.")
    ] = 500,
    logging_steps: Annotated[
        int, typer.Option(min=1, help="Number of steps between records of the loss.")
    ] = 50,
    resume: Annotated[
        bool,
        typer.Option("--resume", help="Continue from the last checkpoint in the output folder."),
    ] = False,
    json: Json = False,
) -> None:
    """Prepare a model for the published method; few need this.

    The published method (arXiv 2605.04651) puts memories between the layers of a model. Small
    layers, the readouts, pass on what these memories recall. This command trains the readouts, once
    for each model, on texts of any kind; the model itself stays as it is. OUTPUT can then be used
    as MODEL in the other commands. To use several GPUs, start this command with 'accelerate
    launch'.
    """
    started = time.perf_counter()
    documents = [read_text(source) for source in find_sources(texts)]
    if not resume:
        check_new_folder(output)
    silence_transformers("lm")
    from faast.lm import FaastForCausalLM, MemoryConfig
    from faast.lm.documents import text_windows
    from faast.lm.pretraining import paper_arguments
    from faast.lm.pretraining import pretrain as train_readouts

    with_memories = FaastForCausalLM.from_base(model, MemoryConfig.paper(middle_layers, alpha))
    tokenizer = load_tokenizer(with_memories.base)
    length = LoadedModel(with_memories, tokenizer).window_length(window)
    windows = text_windows(tokenizer, documents, length)
    arguments = paper_arguments(
        output,
        per_device_train_batch_size=batch_size,
        num_train_epochs=epochs,
        learning_rate=learning_rate,
        warmup_steps=warmup_steps,
        bf16=bf16,
        activation_checkpointing=recompute,
        save_steps=save_steps,
        logging_steps=logging_steps,
    )
    rows = [{"input_ids": row} for row in windows]
    history = train_readouts(with_memories, rows, arguments, resume=resume)
    losses = [entry["loss"] for entry in history if "loss" in entry]
    readouts = with_memories.readouts.parameters()
    emit(
        {
            "output": str(output),
            "model": model,
            "tokens": windows.numel(),
            "steps": int(history[-1]["step"]),
            "trained_parameters": sum(weight.numel() for weight in readouts),
            "first_loss": losses[0] if losses else None,
            "last_loss": losses[-1] if losses else None,
            "seconds": time.perf_counter() - started,
        },
        json,
    )
