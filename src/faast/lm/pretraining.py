"""Global random states, lent to code that seeds them.

Activation checkpointing of a frozen decoder's blocks, which stay in eval mode.

FAAST pretraining: readouts trained by backprop through what was learned a moment before.
"""

from __future__ import annotations

import random
from contextlib import closing, contextmanager, nullcontext
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, cast

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.trainer_utils import get_last_checkpoint

from faast._utils.progress import progress_bar
from faast.lm import checkpoint as storage
from faast.lm import paper_checkpoint as published

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from torch import nn
    from transformers import TrainerControl, TrainerState

    from faast.lm.model import FaastForCausalLM


@contextmanager
def kept_random_states() -> Iterator[None]:
    """Leave the global generators of Python, NumPy and torch as they were before the block."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


@contextmanager
def recomputed(blocks: Iterable[nn.Module]) -> Iterator[None]:
    """Keep only the inputs of blocks in forward passes inside; backward runs the blocks again.

    Notes
    -----
    The checkpointing of transformers acts on blocks in training mode alone. What memories read in
    front of a block lies outside of what is run again.
    """
    replaced = [(block, vars(block).get("forward")) for block in blocks]
    for block, _ in replaced:
        block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    try:
        yield
    finally:
        for block, own in replaced:
            del block.forward
            if own is not None:
                block.forward = own


def paper_arguments(folder: str | os.PathLike[str], **changes: Any) -> TrainingArguments:
    """Return the paper's settings: AdamW at 2e-5, cosine, 500 steps of warm-up, one epoch.

    Parameters
    ----------
    folder : path
        For checkpoints and the result.
    **changes
        Any other field of ``TrainingArguments``.
    """
    fixed = {
        "learning_rate": 2e-5,
        "lr_scheduler_type": "cosine",
        "warmup_steps": 500,
        "num_train_epochs": 1,
        "report_to": "none",
        "disable_tqdm": True,
        "ddp_find_unused_parameters": False,
        "dataloader_pin_memory": torch.accelerator.is_available(),
    }
    return TrainingArguments(output_dir=str(folder), **{**fixed, **changes})


def pretrain(
    model: FaastForCausalLM,
    windows: Sequence[Mapping[str, Tensor]],
    arguments: TrainingArguments,
    *,
    resume: bool = False,
) -> list[dict[str, float]]:
    """Train the readouts of a model in paper mode (arXiv 2605.04651, FAAST pretraining).

    Each step learns a batch and then predicts the same batch; the next-token loss trains `scorer`
    and `out_proj` alone. What earlier steps learned stays in the bank, without gradients.

    Parameters
    ----------
    model : FaastForCausalLM
        Its readouts are trained in place, in float32; it has learned nothing before and after.
    windows : sequence of mappings
        Any map-style data set: rows with "input_ids" and, where they are padded, "attention_mask",
        of one length.
    arguments : TrainingArguments
        As for any ``Trainer``: bfloat16, accumulation, activation checkpointing, trackers. For
        several GPUs start one process each with ``accelerate launch`` or ``torchrun``: every
        process learns its own rows into a bank of its own.
    resume : bool
        Go on from the last checkpoint in ``arguments.output_dir``, as if never interrupted.

    Returns
    -------
    list of dict
        What was logged. Checkpoints and, at the end, backbone and readouts in the published layout
        are in ``arguments.output_dir``.

    Raises
    ------
    ValueError
        A model without readouts of paper mode or that has learned something, a folder with
        checkpoints where `resume` is false, or none where it is true.
    ModelFileError
        The checkpoint belongs to another backbone or to other settings.
    """
    checkpoint = _require_fit(model, arguments, resume=resume)
    dtype = model.dtype
    model.to(arguments.device).readouts.float()
    try:
        with kept_random_states():
            trainer = _trained(model, windows, arguments, checkpoint)
    finally:
        model.train(False).reset()
        model.readouts.to(dtype)
    if trainer.is_world_process_zero():
        published.save(model, str(arguments.output_dir))
        trainer.save_state()
    trainer.accelerator.wait_for_everyone()
    return trainer.state.log_history


def _trained(
    model: FaastForCausalLM,
    windows: Sequence[Mapping[str, Tensor]],
    arguments: TrainingArguments,
    checkpoint: str | None,
) -> Trainer:
    trainer = Trainer(LearnThenPredict(model), arguments, train_dataset=cast("Any", windows))
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_KeepMemories(model))
    if checkpoint is not None:
        storage.restore(model, _memories(checkpoint, arguments))
    with closing(_Progress()) as progress:
        trainer.add_callback(progress)
        trainer.train(resume_from_checkpoint=checkpoint)
    return trainer


class LearnThenPredict(nn.Module):
    """One step of FAAST pretraining, as a trainer runs it.

    Parameters
    ----------
    model : FaastForCausalLM

    Notes
    -----
    Its parameters are the readouts alone, so that a trainer optimises, replicates and keeps nothing
    else. The backbone is no submodule and has to be on its device already.
    """

    _model: FaastForCausalLM

    def __init__(self, model: FaastForCausalLM) -> None:
        super().__init__()
        self.readouts = model.readouts
        self.recompute = False
        vars(self)["_model"] = model  # past nn.Module, which would register it

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> dict[str, Tensor]:
        """Learn a batch, and return the loss of predicting it.

        Parameters
        ----------
        input_ids, attention_mask : Tensor of shape (batch, length)
        """
        model = self._model
        model.learn(input_ids, attention_mask)
        labels = input_ids
        if attention_mask is not None:
            labels = input_ids.masked_fill(attention_mask == 0, -100)
        blocks = model._backbone.anatomy.blocks
        with recomputed(blocks) if self.recompute else nullcontext():
            outputs = model(
                input_ids, attention_mask=attention_mask, labels=labels, use_cache=False
            )
        return {"loss": outputs.loss}

    def train(self, mode: bool = True) -> Self:
        """Train or stop training the readouts; the backbone stays frozen."""
        self._model.train(mode)
        return super().train(mode)

    def activation_checkpointing_enable(self, **_settings: Any) -> None:
        """Keep only the inputs of the backbone's blocks, and run blocks again for gradients."""
        self.recompute = True

    gradient_checkpointing_enable = activation_checkpointing_enable  # its name before 5.23


class _KeepMemories(TrainerCallback):
    """Writes what each process has learned into the trainer's checkpoints."""

    def __init__(self, model: FaastForCausalLM) -> None:
        self.model = model

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        checkpoint = Path(str(args.output_dir)) / f"checkpoint-{state.global_step}"
        self.model.save_pretrained(_memories(checkpoint, args))


class _Progress(TrainerCallback):
    """The house's progress bar over a trainer's steps."""

    def __init__(self) -> None:
        self._steps: Iterator[int] = iter(())

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._steps = progress_bar(
            count(),
            lambda: state.global_step / state.max_steps,
            "Pretraining",
            enabled=state.is_world_process_zero,
        )

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        next(self._steps)

    def close(self) -> None:
        self._steps = iter(())


def _memories(checkpoint: str | os.PathLike[str], arguments: TrainingArguments) -> Path:
    return Path(checkpoint) / f"memories-{arguments.process_index}"


def _require_fit(
    model: FaastForCausalLM, arguments: TrainingArguments, *, resume: bool
) -> str | None:
    """Return the checkpoint to resume from, None for a fresh start."""
    config = model.memory_config
    if config.exact or not model.readouts:
        raise ValueError(
            "pretraining trains the readouts of middle memories in paper mode; attach them with "
            f"MemoryConfig.paper(middle_layers=1), got {config}"
        )
    if model.names:
        raise ValueError(
            f"the model has learned into {model.names}, which pretraining would mix with its own "
            "batches; reset() it first"
        )
    if arguments.n_gpu > 1:
        raise ValueError(
            f"one process sees {arguments.n_gpu} GPUs; start one process each with accelerate "
            "launch or torchrun"
        )
    folder = str(arguments.output_dir)
    checkpoint: str | None = None
    if Path(folder).is_dir():
        checkpoint = get_last_checkpoint(folder)  # type: ignore[no-untyped-call]
    if resume and checkpoint is None:
        raise ValueError(f"there is no checkpoint to resume from in {folder}")
    if checkpoint is not None and not resume:
        raise ValueError(f"{folder} holds {Path(checkpoint).name}; resume, or give another folder")
    return checkpoint
