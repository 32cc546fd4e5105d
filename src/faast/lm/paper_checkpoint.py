"""Checkpoints in the published FAAST layout: backbone and readouts in one state."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

import safetensors.torch
from transformers import (
    MODEL_FOR_CAUSAL_LM_MAPPING,
    AutoConfig,
    PreTrainedModel,
)

from faast.core.persistence import ModelFileError, write_whole
from faast.lm.config import MemoryConfig

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable, Iterator

    from torch import Tensor

    from faast.lm.layer_memory import Readout
    from faast.lm.model import FaastForCausalLM

SCORER = "external.layers.{}.memory_reader.scorer.weight"
OUT_PROJ = "external.layers.{}.interpreter.out_proj.weight"
BACKBONE = "model."
WEIGHTS_FILE = "model.safetensors"
INDEX_FILE = "model.safetensors.index.json"
CONFIG_FILE = "config.json"
M = TypeVar("M", bound="FaastForCausalLM")


def load(
    cls: type[M],
    folder: Path,
    base: PreTrainedModel | str | os.PathLike[str] | None,
    **loading: Any,
) -> M:
    """Load a checkpoint in the published layout as paper mode, with its own sizes.

    Parameters
    ----------
    cls : type
    folder : Path
    base : PreTrainedModel, path or id, optional
        Gives the backbone's configuration; its weights come from the checkpoint. By default the
        name in the checkpoint.
    **loading
        Passed on to the backbone's ``from_pretrained``.

    Raises
    ------
    ModelFileError
        No such checkpoint, or tensors missing from it.
    """
    fields = _fields(folder)
    tensors = _tensors(folder)
    backbone_state = {
        name.removeprefix(BACKBONE): tensor
        for name, tensor in tensors.items()
        if name.startswith(BACKBONE)
    }
    named = base if base is not None else fields.get("base_model")
    if named is None:
        raise ModelFileError(f"{folder} names no base_model; give base=")
    model = cls(_backbone(named, backbone_state, **loading), memory_config(fields))
    for name, weight in _readout_weights(model):
        if name not in tensors:
            raise ModelFileError(f"{folder} lacks the tensor {name}")
        if tensors[name].shape != weight.shape:
            raise ModelFileError(
                f"{name} has shape {tuple(tensors[name].shape)}, the backbone needs "
                f"{tuple(weight.shape)}"
            )
        weight.data.copy_(tensors[name])
    return model


def save(model: FaastForCausalLM, directory: str | os.PathLike[str]) -> None:
    """Write backbone and readouts of a paper-mode model in the published layout.

    What the memories learned is not part of that layout; `FaastForCausalLM.save_pretrained` keeps
    it.

    Raises
    ------
    ValueError
        The model is not in paper mode.
    """
    config = model.memory_config
    if config.exact or config.output != "pseudoinverse":
        raise ValueError("the published layout holds paper mode only; use save_pretrained")
    folder = Path(directory)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {BACKBONE + name: tensor for name, tensor in model.base.state_dict().items()}
    tensors |= dict(_readout_weights(model))
    # a clone each: tied weights are stored twice, as the layout has them
    content = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    write_whole(folder / WEIGHTS_FILE, safetensors.torch.save(content, {"format": "pt"}))
    fields = {
        "model_type": "faast",
        "base_model": model.base.name_or_path,
        "num_layers": config.middle_layers,
        "reader_type": "fastweight",
        "extractor_type": "next_token",
        "interpreter_type": "linear",
        "max_memory_size": config.bank_size,
        "reader_update_size": config.block_size,
        "reader_update_discount": config.discount,
        "reader_update_alpha": config.alpha,
    }
    write_whole(folder / CONFIG_FILE, (json.dumps(fields, indent=2) + "\n").encode())


def memory_config(fields: dict[str, Any]) -> MemoryConfig:
    """Read paper-mode settings from the layout's configuration."""
    sizes = {
        "bank_size": fields.get("max_memory_size"),
        "block_size": fields.get("reader_update_size"),
        "discount": fields.get("reader_update_discount"),
    }
    return MemoryConfig.paper(
        int(fields["num_layers"]),
        float(fields.get("reader_update_alpha") or 1.0),
        **{name: value for name, value in sizes.items() if value is not None},
    )


def _readout_weights(model: FaastForCausalLM) -> Iterator[tuple[str, Tensor]]:
    for index, readout in enumerate(cast("Iterable[Readout]", model.readouts)):
        yield SCORER.format(index), readout.scorer.weight
        yield OUT_PROJ.format(index), readout.out_proj.weight


def is_published(folder: Path) -> bool:
    """Return whether a directory says that it holds a checkpoint in the published layout."""
    try:
        _fields(folder)
    except ModelFileError:
        return False
    return True


def _fields(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_FILE
    if not path.is_file():
        raise ModelFileError(f"{folder} holds neither saved memories nor a config.json")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ModelFileError(f"{path} is no JSON: {error}") from error
    if not isinstance(fields, dict) or not {"reader_type", "num_layers"} <= fields.keys():
        raise ModelFileError(
            f"{path} is no FAAST configuration (it has no reader_type and num_layers)"
        )
    return fields


def _tensors(folder: Path) -> dict[str, Tensor]:
    index = folder / INDEX_FILE
    files = [folder / WEIGHTS_FILE]
    if index.is_file():
        names = json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()
        files = [folder / Path(name).name for name in sorted(set(names))]
    tensors: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():
            raise ModelFileError(f"there is no {file}; pickled weights are never read")
        try:
            tensors |= safetensors.torch.load_file(file)
        except safetensors.SafetensorError as error:
            raise ModelFileError(f"{file} is no complete safetensors file: {error}") from error
    return tensors


def _backbone(
    base: PreTrainedModel | str | os.PathLike[str],
    state: dict[str, Tensor],
    **loading: Any,
) -> PreTrainedModel:
    config = base.config if isinstance(base, PreTrainedModel) else AutoConfig.from_pretrained(base)
    kind: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    model, report = kind.from_pretrained(
        None, config=config, state_dict=state, output_loading_info=True, **loading
    )
    if report["missing_keys"]:
        raise ModelFileError(
            f"the checkpoint lacks {sorted(report['missing_keys'])[:3]} of the backbone"
        )
    name = base.name_or_path if isinstance(base, PreTrainedModel) else str(base)
    model.name_or_path = model.config.name_or_path = name  # the weights came without a name
    loaded: PreTrainedModel = model
    return loaded
