"""Files of memories forged with a correct hash: each is refused, or behaves; no hook is left.

`FAAST_FORGERIES` says how many forgeries are tried.
"""

import json
import os
import time

import numpy as np
import pytest
import safetensors
import safetensors.numpy
import torch

import faast
from faast.core.persistence import METADATA_KEY, ModelFileError, content_hash
from faast.lm import FaastForCausalLM, MemoryConfig
from faast.lm.folders import MEMORY_FILE
from faast.lm.hooks import find_hooks
from tests.core.test_forged_files import forge
from tests.lm.models import tiny

FORGERIES = int(os.environ.get("FAAST_FORGERIES", "120"))
CONFIGS = {
    "natural": MemoryConfig(),
    "blocks": MemoryConfig(),
    "features": MemoryConfig(random_features=True),
    "exact": MemoryConfig("pseudoinverse", middle_layers=1),
    "paper": MemoryConfig.paper(1, block_size=40, buffer_size=120),
    "layers": MemoryConfig(output=None, middle_layers=2),
    "recall": MemoryConfig(output=None, recall=True),
}
PARTS = 6


def make_base():
    return tiny("llama", intermediate_size=48, num_key_value_heads=2, max_position_embeddings=64)


def is_clean(base):
    return not find_hooks(base) and not any(
        module._forward_hooks or module._forward_pre_hooks for module in base.modules()
    )


def make_tokens():
    generator = torch.Generator().manual_seed(0)
    return torch.randint(2, 97, (12, 20), generator=generator)


@pytest.fixture(scope="module")
def base():
    return make_base()


@pytest.fixture(scope="module")
def contents(base, tmp_path_factory):
    """Tensors and metadata of one file of each kind."""
    found = {}
    for name, config in CONFIGS.items():
        model = FaastForCausalLM.from_base(base, config)
        for readout in model.readouts:
            torch.nn.init.eye_(readout.out_proj.weight)
        for _ in range(4 if name == "blocks" else 1):
            model.learn(make_tokens())
        with model.use_adapter("other"):
            model.learn(make_tokens()[:6])
        folder = tmp_path_factory.mktemp("memories") / name
        model.save_pretrained(folder)
        model.detach()
        with safetensors.safe_open(folder / MEMORY_FILE, framework="numpy") as file:
            metadata = json.loads(file.metadata()[METADATA_KEY])
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        found[name] = tensors, metadata
    return found


def write(folder, tensors, metadata):
    metadata = dict(metadata)
    metadata["hash"] = content_hash(tensors, metadata)
    content = safetensors.numpy.save(tensors, {METADATA_KEY: json.dumps(metadata)})
    (folder / MEMORY_FILE).write_bytes(content)


@torch.no_grad()
def require_behaviour(model):
    """Read, learn and save; a memory may refuse to learn or forget, never to read."""
    tokens = make_tokens()
    for name in [*model.adapters, "default"]:
        with model.use_adapter(name):
            assert torch.isfinite(model(tokens[:2]).logits).all(), "reading"
            assert not model.online_perplexity < 0
            try:
                model.learn(tokens[:3])
                if model.memory_config.exact and model.memory_config.output != "natural":
                    model.forget(tokens[:3])
            except (ValueError, OverflowError):
                continue
            assert torch.isfinite(model(tokens[:2]).logits).all(), "after learning"


@pytest.mark.parametrize("part", range(PARTS))
def test_a_forgery_is_refused_or_behaves(part, base, contents, tmp_path):
    names = sorted(contents)
    for seed in range(part * FORGERIES // PARTS, (part + 1) * FORGERIES // PARTS):
        name = names[seed % len(names)]
        forged = forge(np.random.default_rng(seed), *contents[name])
        (tmp_path / MEMORY_FILE).write_bytes(forged)
        start = time.perf_counter()
        try:
            content = faast.load(tmp_path / MEMORY_FILE)
            model = FaastForCausalLM.from_checkpoint(content, base)
        except ModelFileError:
            assert is_clean(base), f"forgery {seed} of {name} left hooks"
            assert time.perf_counter() - start < 5, f"forgery {seed} of {name} took long"
            continue
        except Exception as error:
            raise AssertionError(f"forgery {seed} of {name}: load") from error
        try:
            require_behaviour(model)
        except Exception as error:
            raise AssertionError(f"forgery {seed} of {name}") from error
        finally:
            model.detach()
        assert time.perf_counter() - start < 10, f"forgery {seed} of {name} took long"


def change(metadata, path, value):
    """Return metadata with one value changed."""
    changed = json.loads(json.dumps(metadata))
    holder = changed["state"]
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = value
    return changed


RECALL = ("memories", "default", "logits")
PASS = ("memories", "default", "head", "natural_pass")


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("layers", ("config", "middle_layers"), 2**31),
        ("layers", ("config", "middle_layers"), 2**62),
        ("layers", ("config", "middle_layers"), 1),
        ("layers", ("config", "middle_layers"), True),
        ("exact", ("config", "output"), "natural"),
        ("exact", ("config", "alpha"), 1e300),
        ("paper", ("config", "block_size"), "40"),
        ("paper", ("memories", "default", "last", "pairs", "folded_count"), -1.0),
        ("natural", ("config", "random_features"), True),
        ("natural", ("config", "more"), 1),
        ("natural", ("fingerprint",), [0.0]),
        ("natural", ("fingerprint",), []),
        ("natural", ("names",), ["default"]),
        ("natural", ("names",), ["default", "default", "other"]),
        ("natural", ("base",), "\0"),
        ("natural", ("more",), 1),
        ("natural", (*PASS, "count"), 10**6),
        ("natural", (*PASS, "step"), -1.0),
        ("blocks", (*PASS, "texts"), 0.0),
        ("blocks", (*PASS, "texts"), 10.0**9),
        ("blocks", (*PASS, "count"), 0),
        ("blocks", (*PASS, "online_loss"), 1e9),
        ("blocks", (*PASS, "scores"), [0.0]),
        ("blocks", (*PASS, "more"), 1),
        ("recall", ("config", "recall"), False),
        ("recall", (*RECALL, "n_pairs"), 10),
        ("recall", (*RECALL, "n_pairs"), 2**50),
        ("recall", (*RECALL, "counts", "threshold"), 0),
        ("recall", (*RECALL, "sample", "threshold"), 1),
    ],
)
def test_fields_that_contradict_the_rest_are_refused(base, contents, tmp_path, kind, path, value):
    tensors, metadata = contents[kind]
    write(tmp_path, tensors, change(metadata, path, value))
    with pytest.raises(ModelFileError):
        FaastForCausalLM.from_pretrained(tmp_path, base=base)
    assert is_clean(base)


@pytest.mark.parametrize(
    ("kind", "name", "forged"),
    [
        ("natural", "default.head.rows.targets", lambda t: t + 97),
        ("natural", "default.head.rows.targets", lambda t: t[:-1]),
        ("natural", "default.head.rows.hidden", lambda t: t[:, :-1]),
        ("natural", "default.head.rows.text_shares", lambda t: t[:-1]),
        ("natural", "default.head.rows.text_shares", lambda t: -t),
        ("natural", "default.head.rows.hidden", lambda t: t * 1e12),
        ("blocks", "default.head.natural_pass.gram", lambda t: -t),
        ("blocks", "default.head.natural_pass.gram", lambda t: t + np.triu(t)),
        ("exact", "default.last.validation.sizes", lambda t: t * 2),
        ("exact", "default.last.validation.hashes", lambda t: t[::-1].copy()),
        ("exact", "default.last.validation.targets", lambda t: -t - 1),
        ("exact", "default.last.pairs.moments.cross", lambda t: t * 2**20),
        ("exact", "default.last.pairs.moments.count", lambda t: np.asarray(t + 2**50)),
        ("exact", "default.last.pairs.moments.grids.key.scale", lambda t: t * 4),
        ("paper", "default.last.pairs.values", lambda t: t[:-1]),
        ("paper", "default.last.pairs.folded", lambda t: t + 1.0),
        ("recall", "default.logits.counts.ngrams", lambda t: t[::-1].copy()),
        ("recall", "default.logits.counts.ngrams", lambda t: t + 97),
        ("recall", "default.logits.counts.counts", lambda t: t - 1),
        ("recall", "default.logits.counts.counts", lambda t: t * 2**45),
        ("recall", "default.logits.counts.counts", lambda t: t[:-1]),
        ("recall", "default.logits.sample.tokens", lambda t: t + 1),
        ("recall", "default.logits.sample.answers", lambda t: ~t),
        ("recall", "default.logits.sample.lengths", lambda t: t * 2),
    ],
)
def test_tensors_that_contradict_the_rest_are_refused(base, contents, tmp_path, kind, name, forged):
    tensors, metadata = contents[kind]
    name = f"memories.{name}"
    write(tmp_path, tensors | {name: forged(tensors[name])}, metadata)
    with pytest.raises(ModelFileError):
        FaastForCausalLM.from_pretrained(tmp_path, base=base)
    assert is_clean(base)


def test_tensors_that_nothing_reads_are_refused(base, contents, tmp_path):
    tensors, metadata = contents["natural"]
    write(tmp_path, tensors | {"memories.default.more": np.zeros(1)}, metadata)
    with pytest.raises(ModelFileError, match="unknown tensors"):
        FaastForCausalLM.from_pretrained(tmp_path, base=base)


def test_names_that_begin_alike_stay_apart(base, tmp_path):
    model = FaastForCausalLM.from_base(base)
    for length, name in enumerate(("a", "a.b", "a.head"), 2):
        with model.use_adapter(name):
            model.learn(make_tokens()[:, :length])
    model.save_pretrained(tmp_path / "memory")
    model.detach()
    again = FaastForCausalLM.from_pretrained(tmp_path / "memory", base=base)
    for length, name in enumerate(("a", "a.b", "a.head"), 2):
        with again.use_adapter(name):
            assert again.memory_size == 12 * (length - 1)
    again.detach()


@pytest.mark.parametrize("kind", CONFIGS)
def test_every_kind_of_memory_opens_by_load_and_says_what_to_do(base, contents, tmp_path, kind):
    write(tmp_path, *contents[kind])
    content = faast.load(tmp_path / MEMORY_FILE)
    assert "FaastForCausalLM.from_checkpoint(content) attaches" in repr(content)
    assert sorted(content.memories) == ["default", "other"]
    model = FaastForCausalLM.from_checkpoint(content, base)
    assert model.adapters == ["default", "other"]
    model.detach()
    assert is_clean(base)
