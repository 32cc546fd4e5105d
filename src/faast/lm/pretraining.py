"""FAAST pretraining: train readouts by backpropagation through what was learned a moment before."""

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
from transformers.trainer import TRAINER_STATE_NAME
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, get_last_checkpoint
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_NAME

from faast._utils.progress import progress_bar
from faast.lm.architecture import find_architecture
from faast.lm.folders import check_pretraining_folder
from faast.lm.paper_checkpoint import is_checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from transformers import TrainerControl, TrainerState

    from faast.lm.folders import Source
    from faast.lm.model import FaastForCausalLM


def paper_arguments(folder: Source, **changes: Any) -> TrainingArguments:
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
    """Train the readouts of a model with the paper's memories (arXiv 2605.04651).

    Each step learns a batch and then predicts the same batch; the next-token loss trains `scorer`
    and `out_proj` alone. What earlier steps learned stays in the memories, without gradients.

    Parameters
    ----------
    model : FaastForCausalLM
        Its readouts are trained in place, in float32. It must have learned nothing, and has learned
        nothing afterwards.
    windows : sequence of mappings
        Any map-style data set: rows of one length with "input_ids" and, where they are padded,
        "attention_mask".
    arguments : TrainingArguments
        As for any ``Trainer``: bfloat16, gradient accumulation, activation checkpointing, trackers.
        For several GPUs start one process per GPU with ``accelerate launch`` or ``torchrun``: each
        process learns its own rows into memories of its own.
    resume : bool
        Continue from the last checkpoint in ``arguments.output_dir``, as if never interrupted.

    Returns
    -------
    list of dict
        What was logged. ``arguments.output_dir`` holds the checkpoints and, at the end, backbone
        and readouts in the layout of the paper's code.

    Raises
    ------
    FileExistsError
        The folder holds anything else than what an earlier run wrote.
    ValueError
        The model has no readouts of ``MemoryConfig.paper``, or has learned something; the folder
        has checkpoints although `resume` is False, or none although it is True.
    ModelFileError
        The checkpoint belongs to another backbone or to other settings.
    """
    last_checkpoint = _check(model, arguments, resume=resume)
    dtype = model.dtype
    model.to(arguments.device).readouts.float()
    try:
        with preserve_rng_state():
            trainer = _train(model, windows, arguments, last_checkpoint)
    finally:
        model.train(False).reset()
        model.readouts.to(dtype)
    if trainer.is_world_process_zero():
        model._write_paper_checkpoint(str(arguments.output_dir))
        trainer.save_state()
    trainer.accelerator.wait_for_everyone()
    return trainer.state.log_history


class LearnThenPredict(nn.Module):
    """One step of FAAST pretraining, as a trainer runs it.

    Parameters
    ----------
    model : FaastForCausalLM

    Notes
    -----
    Its parameters are the readouts alone, so that a trainer optimises, replicates and saves nothing
    else. The backbone is not a submodule and has to be on its device already.
    """

    _model: FaastForCausalLM

    def __init__(self, model: FaastForCausalLM) -> None:
        super().__init__()
        self.readouts = model.readouts
        self.checkpointing = False
        self._blocks = tuple(find_architecture(model.base).blocks)
        vars(self)["_model"] = model  # past nn.Module, which would register it as a submodule

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
        with gradient_checkpointing(self._blocks) if self.checkpointing else nullcontext():
            outputs = model(
                input_ids, attention_mask=attention_mask, labels=labels, use_cache=False
            )
        return {"loss": outputs.loss}

    def train(self, mode: bool = True) -> Self:
        """Start or stop training the readouts; the backbone stays frozen."""
        self._model.train(mode)
        return super().train(mode)

    def activation_checkpointing_enable(self, **_settings: Any) -> None:
        """Keep only the inputs of the backbone's blocks, and run the blocks again for gradients."""
        self.checkpointing = True


@contextmanager
def gradient_checkpointing(blocks: Iterable[nn.Module]) -> Iterator[None]:
    """Keep only the inputs of blocks in forward passes inside; backward runs the blocks again.

    Notes
    -----
    The checkpointing of transformers acts on blocks in training mode only, and a frozen backbone
    stays in eval mode. Memories read in front of a block, outside of what is run again.
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


@contextmanager
def preserve_rng_state() -> Iterator[None]:
    """Restore the global generators of Python, NumPy and torch when the block ends."""
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 - the global one
    try:
        with torch.random.fork_rng():
            yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002


def _check(model: FaastForCausalLM, arguments: TrainingArguments, *, resume: bool) -> str | None:
    """Check model, processes and folder; return the checkpoint to resume from, if any."""
    config = model.memory_config
    if config.exact or not model.readouts:
        raise ValueError(
            "pretraining trains the readouts of the paper's layer memories; attach them with "
            f"MemoryConfig.paper(middle_layers=1), got {config}"
        )
    if model.adapters:
        raise ValueError(
            f"the adapters {model.adapters} have learned something, which pretraining would mix "
            "with its own batches; reset() them first"
        )
    if arguments.n_gpu > 1:
        raise ValueError(
            f"one process sees {arguments.n_gpu} GPUs; start one process per GPU with accelerate "
            "launch or torchrun"
        )
    folder = str(arguments.output_dir)
    found: str | None = None
    if Path(folder).is_dir():
        found = get_last_checkpoint(folder)  # type: ignore[no-untyped-call]
    if resume and found is None:
        raise ValueError(f"there is no checkpoint to resume from in {folder}")
    if found is not None and not resume:
        raise ValueError(
            f"{folder} holds {Path(found).name}; set resume=True, or choose another folder"
        )
    check_pretraining_folder(folder, _own_entries(Path(folder)) if resume else ())
    return found


def _own_entries(folder: Path) -> list[str]:
    """Return the names of what an earlier run has written into its folder."""
    written = [entry.name for entry in folder.glob(f"{PREFIX_CHECKPOINT_DIR}-*")]
    if is_checkpoint(folder):
        written += [CONFIG_NAME, SAFE_WEIGHTS_NAME]
    return [*written, TRAINER_STATE_NAME]


def _train(
    model: FaastForCausalLM,
    windows: Sequence[Mapping[str, Tensor]],
    arguments: TrainingArguments,
    last_checkpoint: str | None,
) -> Trainer:
    trainer = Trainer(LearnThenPredict(model), arguments, train_dataset=cast("Any", windows))
    trainer.remove_callback(PrinterCallback)
    trainer.add_callback(_SaveMemories(model))
    if last_checkpoint is not None:
        model.load_memories(_memories_folder(last_checkpoint, arguments))
    with closing(_Progress()) as progress:
        trainer.add_callback(progress)
        trainer.train(resume_from_checkpoint=last_checkpoint)
    return trainer


class _SaveMemories(TrainerCallback):
    """Writes what each process has learned into the trainer's checkpoints."""

    def __init__(self, model: FaastForCausalLM) -> None:
        self.model = model

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        folder = Path(str(args.output_dir)) / f"{PREFIX_CHECKPOINT_DIR}-{state.global_step}"
        self.model.save_pretrained(_memories_folder(folder, args))


class _Progress(TrainerCallback):
    """The library's progress bar over a trainer's steps."""

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


def _memories_folder(checkpoint_folder: Source, arguments: TrainingArguments) -> Path:
    """Return the folder of this process's memories inside a trainer's checkpoint."""
    return Path(checkpoint_folder) / f"memories-{arguments.process_index}"
