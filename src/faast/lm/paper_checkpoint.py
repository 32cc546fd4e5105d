"""Checkpoints in the layout of the paper's code: backbone and readouts in one set of tensors.

What memories have learned is not part of that layout.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import safetensors.torch
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, AutoConfig, PreTrainedModel
from transformers.utils import CONFIG_NAME, SAFE_WEIGHTS_INDEX_NAME, SAFE_WEIGHTS_NAME

from faast.core.atomic_files import write_json, write_whole
from faast.core.persistence import ModelFileError
from faast.lm.config import MemoryConfig
from faast.lm.folders import resolve_source
from faast.lm.gguf import transformers_arguments

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from torch import Tensor, nn

    from faast.lm.adapters import Adapters
    from faast.lm.backbone import Backbone
    from faast.lm.folders import Source
    from faast.lm.layer_memory import Readout

SCORER = "external.layers.{}.memory_reader.scorer.weight"
OUT_PROJ = "external.layers.{}.interpreter.out_proj.weight"
BACKBONE_PREFIX = "model."


@dataclass(frozen=True)
class PaperCheckpoint:
    """Content of a checkpoint.

    Attributes
    ----------
    folder : Path
    config : MemoryConfig
        Settings of the paper, with the checkpoint's own sizes.
    base_model : str or None
        Path or hub id of the backbone that the checkpoint names.
    tensors : dict of str to Tensor
    """

    folder: Path
    config: MemoryConfig
    base_model: str | None
    tensors: dict[str, Tensor]

    def load_backbone(
        self, base: PreTrainedModel | Source | None, **loading: Any
    ) -> PreTrainedModel:
        """Return the backbone with the checkpoint's weights.

        Parameters
        ----------
        base : PreTrainedModel, path or hub id, optional
            Gives the configuration; by default the name in the checkpoint does.
        **loading
            Passed to the backbone's ``from_pretrained``.

        Raises
        ------
        ModelFileError
            The checkpoint names no backbone, or lacks tensors of it.
        """
        named = base if base is not None else self.base_model
        if named is None:
            raise ModelFileError(f"{self.folder} names no base_model; give base=")
        if isinstance(named, PreTrainedModel):
            config, name = named.config, named.name_or_path
        else:
            name = resolve_source(named, "a model")
            config = AutoConfig.from_pretrained(**transformers_arguments(name))
        state = {
            name.removeprefix(BACKBONE_PREFIX): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(BACKBONE_PREFIX)
        }
        kind: Any = MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
        model, report = kind.from_pretrained(
            None, config=config, state_dict=state, output_loading_info=True, **loading
        )
        if report["missing_keys"]:
            raise ModelFileError(
                f"{self.folder} lacks {sorted(report['missing_keys'])[:3]} of the backbone"
            )
        model.name_or_path = model.config.name_or_path = name  # the weights came without a name
        loaded: PreTrainedModel = model
        return loaded

    def restore(self, adapters: Adapters, readouts: nn.ModuleList) -> None:
        """Copy the checkpoint's readouts into those of a model; it holds nothing for its memories.

        Raises
        ------
        ModelFileError
            A tensor is missing or has another shape.
        """
        del adapters
        weights = dict(_readout_weights(readouts))
        for name, weight in weights.items():
            if name not in self.tensors:
                raise ModelFileError(f"{self.folder} lacks the tensor {name}")
            if self.tensors[name].shape != weight.shape:
                raise ModelFileError(
                    f"{name} has shape {tuple(self.tensors[name].shape)}, the backbone needs "
                    f"{tuple(weight.shape)}"
                )
            if not bool(self.tensors[name].isfinite().all()):
                raise ModelFileError(f"{name} holds NaN or inf")
        for name, weight in weights.items():
            weight.data.copy_(self.tensors[name])


def read(folder: Path) -> PaperCheckpoint:
    """Read a checkpoint.

    Raises
    ------
    ModelFileError
        There is no such checkpoint in the folder, or it is damaged.
    """
    fields = _fields(folder)
    base = fields.get("base_model")
    if base is not None and type(base) is not str:
        raise ModelFileError(f"{folder} names no base_model, but {base!r:.80}")
    try:
        config = _config(fields)
    except (TypeError, ValueError, OverflowError) as error:
        raise ModelFileError(f"{folder} has settings that make no sense: {error}") from error
    return PaperCheckpoint(folder, config, base, _tensors(folder))


def write(folder: Path, backbone: Backbone, config: MemoryConfig, readouts: nn.ModuleList) -> None:
    """Write backbone and readouts of a model with the paper's memories.

    Parameters
    ----------
    folder : Path
        It is created where it is missing.
    backbone : Backbone
    config : MemoryConfig
    readouts : ModuleList of Readout

    Raises
    ------
    ValueError
        The settings are not the paper's.
    """
    if config.exact or config.output != "pseudoinverse":
        raise ValueError(
            "the layout of the paper's code holds memories of MemoryConfig.paper(...) only; use "
            "save_pretrained"
        )
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {
        BACKBONE_PREFIX + name: tensor for name, tensor in backbone.model.state_dict().items()
    }
    tensors |= dict(_readout_weights(readouts))
    # a clone each: the layout stores tied weights twice
    content = {name: tensor.detach().clone().contiguous() for name, tensor in tensors.items()}
    write_whole(folder / SAFE_WEIGHTS_NAME, safetensors.torch.save(content, {"format": "pt"}))
    fields = {
        "model_type": "faast",
        "base_model": backbone.name,
        "num_layers": config.middle_layers,
        "reader_type": "fastweight",
        "extractor_type": "next_token",
        "interpreter_type": "linear",
        "max_memory_size": config.buffer_size,
        "reader_update_size": config.block_size,
        "reader_update_discount": config.discount,
        "reader_update_alpha": config.alpha,
    }
    write_json(folder / CONFIG_NAME, fields)


def is_checkpoint(folder: Path) -> bool:
    """Return whether a directory says that it holds a checkpoint in this layout."""
    try:
        _fields(folder)
    except ModelFileError:
        return False
    return True


def _readout_weights(readouts: nn.ModuleList) -> Iterator[tuple[str, Tensor]]:
    for index, readout in enumerate(cast("Iterable[Readout]", readouts)):
        yield SCORER.format(index), readout.scorer.weight
        yield OUT_PROJ.format(index), readout.out_proj.weight


def _config(fields: dict[str, Any]) -> MemoryConfig:
    sizes = {
        "buffer_size": fields.get("max_memory_size"),
        "block_size": fields.get("reader_update_size"),
        "discount": fields.get("reader_update_discount"),
    }
    given = MemoryConfig.paper(
        fields["num_layers"],
        float(fields.get("reader_update_alpha") or 1.0),
        **{name: value for name, value in sizes.items() if value is not None},
    )
    return MemoryConfig.from_dict(given.to_dict())  # checks the types


def _fields(folder: Path) -> dict[str, Any]:
    path = folder / CONFIG_NAME
    if not path.is_file():
        raise ModelFileError(f"{folder} holds neither saved memories nor a {CONFIG_NAME}")
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(fields, dict) or not {"reader_type", "num_layers"} <= fields.keys():
        raise ModelFileError(
            f"{path} is not a FAAST configuration: it has no reader_type and num_layers"
        )
    return fields


def _tensors(folder: Path) -> dict[str, Tensor]:
    index = folder / SAFE_WEIGHTS_INDEX_NAME
    files = [folder / SAFE_WEIGHTS_NAME]
    if index.is_file():
        try:
            names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            files = [folder / Path(name).name for name in sorted(names)]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise ModelFileError(f"{index} is no index of weights: {error}") from error
    tensors: dict[str, Tensor] = {}
    for file in files:
        if not file.is_file():
            raise ModelFileError(f"there is no {file}; pickled weights are never read")
        try:
            tensors |= safetensors.torch.load_file(file)
        except safetensors.SafetensorError as error:
            raise ModelFileError(f"{file} is not a complete safetensors file: {error}") from error
    return tensors
