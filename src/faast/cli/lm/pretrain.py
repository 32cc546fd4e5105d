"""`faast lm pretrain`: readouts for the paper's memories, trained once for a backbone."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from faast._utils.imports import import_optional
from faast.cli._options import Json
from faast.cli._output import emit
from faast.cli.lm._options import Opened, Window


def pretrain(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL",
            help="Name or folder of a Hugging Face model, which stays frozen.",
            show_default=False,
        ),
    ],
    texts: Annotated[
        list[Path], typer.Argument(help="Text files, each one document.", show_default=False)
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output", "-o", help="Folder for checkpoints and the result.", show_default=False
        ),
    ],
    middle_layers: Annotated[int, typer.Option(min=1, help="Memories between blocks.")] = 1,
    alpha: Annotated[float, typer.Option(help="Spectral filter when read: rtol = N^-alpha.")] = 1.0,
    window: Window = None,
    batch_size: Annotated[int, typer.Option(min=1, help="Rows a step, per process.")] = 8,
    epochs: Annotated[float, typer.Option(help="Passes over the texts.")] = 1.0,
    learning_rate: Annotated[float, typer.Option(help="At its highest.")] = 2e-5,
    warmup_steps: Annotated[int, typer.Option(min=0, help="Steps until it is.")] = 500,
    bf16: Annotated[bool, typer.Option("--bf16", help="Compute in bfloat16.")] = False,
    recompute: Annotated[
        bool, typer.Option("--recompute", help="Run blocks again instead of keeping activations.")
    ] = False,
    save_steps: Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")] = 500,
    logging_steps: Annotated[int, typer.Option(min=1, help="Steps between logged losses.")] = 50,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the last checkpoint in OUTPUT.")
    ] = False,
    json: Json = False,
) -> None:
    """Train readouts by the next-token loss; start it with `accelerate launch` for several GPUs."""
    transformers = import_optional("transformers", "lm")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    from faast.lm import FaastForCausalLM, MemoryConfig
    from faast.lm.documents import text_windows
    from faast.lm.pretraining import paper_arguments
    from faast.lm.pretraining import pretrain as train

    started = time.perf_counter()
    documents = [text.read_text(encoding="utf-8") for text in texts]
    attached = FaastForCausalLM.from_base(model, MemoryConfig.paper(middle_layers, alpha))
    tokenizer = transformers.AutoTokenizer.from_pretrained(model)
    windows = text_windows(tokenizer, documents, Opened(attached, tokenizer).window(window))
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
    history = train(attached, [{"input_ids": row} for row in windows], arguments, resume=resume)
    losses = [entry["loss"] for entry in history if "loss" in entry]
    emit(
        {
            "output": str(output),
            "model": model,
            "tokens": windows.numel(),
            "steps": int(history[-1]["step"]),
            "trained_parameters": sum(weight.numel() for weight in attached.readouts.parameters()),
            "first_loss": losses[0] if losses else None,
            "last_loss": losses[-1] if losses else None,
            "seconds": time.perf_counter() - started,
        },
        json,
    )
