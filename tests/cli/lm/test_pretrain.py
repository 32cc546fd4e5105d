import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from faast.lm import FaastForCausalLM
from tests.lm.models import tiny

TEXT = "a b c d e f g h " * 40


@pytest.fixture
def folder(tmp_path):
    """A backbone with its tokenizer, and a text."""
    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate("0abcdefgh")}, "0"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words, eos_token="0")
    tokenizer.save_pretrained(tmp_path / "base")
    shape = {"intermediate_size": 48, "num_key_value_heads": 2, "max_position_embeddings": 64}
    tiny("llama", **shape).save_pretrained(tmp_path / "base")
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


SETTINGS = ("--window", 16, "--batch-size", 4, "--logging-steps", 1, "--warmup-steps", 0)


def test_pretrain_writes_a_checkpoint_that_loads(folder, facts):
    trained = facts(
        "lm", "pretrain", "base", "text.txt", "-o", "out", *SETTINGS,
        "--learning-rate", 0.02, "--epochs", 4, cwd=folder,
    )  # fmt: skip
    assert trained["tokens"] == 320
    assert trained["steps"] == 20
    assert trained["last_loss"] < trained["first_loss"]
    model = FaastForCausalLM.from_pretrained(folder / "out", base=folder / "base")
    trained_parameters = sum(weight.numel() for weight in model.readouts.parameters())
    assert trained["trained_parameters"] == trained_parameters


def test_other_commands_take_what_pretrain_wrote(folder, facts):
    facts("lm", "pretrain", "base", "text.txt", "-o", "out", *SETTINGS, cwd=folder)
    learned = facts("lm", "learn", "out", "text.txt", "-o", "memory", cwd=folder)
    measured = facts("lm", "perplexity", "memory", "text.txt", cwd=folder)
    assert measured["learned_tokens"] == learned["learned_tokens"] > 0


def test_windows_are_no_longer_than_the_model_reads(folder, facts):
    trained = facts("lm", "pretrain", "base", "text.txt", "-o", "out", *SETTINGS[2:], cwd=folder)
    assert trained["tokens"] == 320  # five windows of 64


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("--resume",), "there is no checkpoint to resume from in out"),
        (("--middle-layers", 9), "at most 3"),
        (("--window", 10_000), "the model has 64 positions"),
    ],
)
def test_bad_input_is_one_line(folder, run, changes, message):
    done = run("lm", "pretrain", "base", "text.txt", "-o", "out", *SETTINGS, *changes, cwd=folder)
    assert done.exit_code == 1
    assert done.stderr.startswith("error: ")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1
