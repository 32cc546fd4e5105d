"""Encoders of checkpoints: against the models called by hand, and what they refuse."""

import json

import numpy as np
import pytest

from faast.encoders import (
    EncoderMismatchError,
    EncoderUnavailableError,
    RowsNotLearnedError,
    load_encoder,
)

TEXTS = ["where is my card ?", "lost", "the cat is a dog .", "a photo of my lost card"]


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def check_reload(encoder, rows):
    """An encoder's plain settings and fingerprint give the same encoder again."""
    settings = json.loads(json.dumps(encoder.settings))
    again = load_encoder(**settings, device="cpu", fingerprint=encoder.fingerprint)
    assert again.settings == encoder.settings
    np.testing.assert_array_equal(again.encode(rows), encoder.encode(rows))


def test_text_model_takes_the_mean_of_real_tokens(torch, bert):
    from transformers import AutoModel, AutoTokenizer

    encoder = load_encoder(f"hf:{bert}", device="cpu")
    features = encoder.encode(TEXTS)
    model, tokenizer = AutoModel.from_pretrained(bert).eval(), AutoTokenizer.from_pretrained(bert)
    with torch.inference_mode():
        alone = [
            model(**tokenizer(text, return_tensors="pt")).last_hidden_state[0].mean(0).numpy()
            for text in TEXTS
        ]
    assert features.dtype == np.float32
    assert features.shape == (4, encoder.n_features) == (4, 16)
    np.testing.assert_allclose(features, unit(np.stack(alone)), atol=1e-6)
    check_reload(encoder, TEXTS)
    np.testing.assert_allclose(
        encoder.encode_labels(["my_card"]), encoder.encode(["my card"]), atol=1e-6
    )


def test_pooler_that_the_checkpoint_lacks_is_refused(bert):
    with pytest.raises(ValueError, match=r'would be random; use pooling "mean" or "cls"'):
        load_encoder(f"hf:{bert}", device="cpu", pooling="pooler")
    with pytest.raises(ValueError, match=r"pooling must be one of mean, cls, pooler, got 'max'"):
        load_encoder(f"hf:{bert}", device="cpu", pooling="max")
    first = load_encoder(f"hf:{bert}", device="cpu", pooling="cls")
    assert first.encode(TEXTS).shape == (4, 16)


def test_float_encoders_forget_through_a_cache_only(bert):
    with pytest.raises(RowsNotLearnedError, match=r"CachedEncoder"):
        load_encoder(f"hf:{bert}", device="cpu").recall(TEXTS)


def test_sentence_model(bert, tmp_path):
    library = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer

    body = Transformer(str(bert))
    model = library.SentenceTransformer(
        modules=[body, Pooling(body.get_embedding_dimension(), "mean")], device="cpu"
    )
    model.save(str(tmp_path / "model"))
    encoder = load_encoder(f"st:{tmp_path / 'model'}", device="cpu")
    np.testing.assert_allclose(encoder.encode(TEXTS), unit(model.encode(TEXTS)), atol=1e-6)
    assert encoder.n_features == 16
    check_reload(encoder, TEXTS)
    with pytest.raises(TypeError, match=r"row 1 must be a string, got float"):
        encoder.encode(["a", 1.5])
    with pytest.raises(TypeError, match=r"got one string; pass \[row\]"):
        encoder.encode("where is my card ?")


@pytest.mark.parametrize("family", ["clip", "siglip"])
def test_two_towers(family, request, torch, images):
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel, AutoTokenizer

    folder = request.getfixturevalue(family)
    encoder = load_encoder(f"clip:{folder}", device="cpu")
    model, tokenizer = (
        AutoModel.from_pretrained(folder).eval(),
        AutoTokenizer.from_pretrained(folder),
    )
    processor = AutoImageProcessor.from_pretrained(folder, backend="pil")
    length = model.config.text_config.max_position_embeddings
    with torch.inference_mode():
        seen = model.get_image_features(
            **processor(images=[Image.fromarray(p) for p in images], return_tensors="pt")
        ).pooler_output
        said = model.get_text_features(
            **tokenizer(
                ["A photo of a lost card."],
                padding="max_length",
                max_length=length,
                return_tensors="pt",
            )
        ).pooler_output
    features = encoder.encode(images)
    assert features.shape == (5, encoder.n_features)
    np.testing.assert_allclose(features, unit(seen.numpy()), atol=1e-6)
    np.testing.assert_allclose(encoder.encode_labels(["lost_card"]), unit(said.numpy()), atol=1e-6)
    check_reload(encoder, images)


def test_prompt_is_the_callers(clip):
    encoder = load_encoder(f"clip:{clip}", device="cpu", prompt="where is my {label}?")
    default = load_encoder(f"clip:{clip}", device="cpu")
    assert encoder.fingerprint == default.fingerprint  # prompts do not touch the features
    assert not np.allclose(encoder.encode_labels(["cat"]), default.encode_labels(["cat"]))
    with pytest.raises(ValueError, match=r'prompt must contain "{label}"'):
        load_encoder(f"clip:{clip}", device="cpu", prompt="cat").encode_labels(["cat"])


def test_image_model_uses_its_own_pooled_output(torch, dinov2, images):
    from PIL import Image
    from transformers import AutoImageProcessor, AutoModel

    encoder = load_encoder(f"hf:{dinov2}", device="cpu")
    model = AutoModel.from_pretrained(dinov2).eval()
    processor = AutoImageProcessor.from_pretrained(dinov2, backend="pil")
    with torch.inference_mode():
        output = model(
            **processor(images=[Image.fromarray(p) for p in images], return_tensors="pt")
        ).pooler_output
    assert encoder.modality == "image"
    np.testing.assert_allclose(encoder.encode(images), unit(output.numpy()), atol=1e-6)
    check_reload(encoder, images)


def test_convolutional_model_is_pooled_over_places(torch, tmp_path, images):
    from transformers import ResNetConfig, ResNetModel
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil

    config = ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1])
    ResNetModel(config).save_pretrained(tmp_path)
    ConvNextImageProcessorPil(size={"shortest_edge": 32}).save_pretrained(tmp_path)
    pooled = load_encoder(f"hf:{tmp_path}", device="cpu")
    averaged = load_encoder(f"hf:{tmp_path}", device="cpu", pooling="mean")
    assert pooled.pooling == "pooler"
    np.testing.assert_allclose(pooled.encode(images), averaged.encode(images), atol=1e-6)


def test_image_model_with_visual_words_is_no_text_model(torch, tmp_path, images):
    from transformers import BeitConfig, BeitModel
    from transformers.models.vit.image_processing_pil_vit import ViTImageProcessorPil

    config = BeitConfig(
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        image_size=16,
        patch_size=8,
    )
    BeitModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    ViTImageProcessorPil(size={"height": 16, "width": 16}).save_pretrained(tmp_path)
    encoder = load_encoder(f"hf:{tmp_path}", device="cpu")
    assert encoder.modality == "image"
    assert encoder.encode(images).shape == (5, 16)


def test_encoder_decoder_is_refused(torch, tokenizer, tmp_path):
    from transformers import T5Config

    T5Config(d_model=16, num_layers=1, num_heads=2).save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=r"\(t5\) is neither a text encoder nor an image model"):
        load_encoder(f"hf:{tmp_path}", device="cpu")


def test_number_types(bert, clip, images):
    for name, rows in ((f"hf:{bert}", TEXTS), (f"clip:{clip}", images)):
        exact = load_encoder(name, device="cpu")
        rough = load_encoder(name, device="cpu", dtype="bfloat16")
        np.testing.assert_allclose(rough.encode(rows), exact.encode(rows), atol=0.05)
        assert rough.encode(rows).dtype == np.float32
        with pytest.raises(
            EncoderMismatchError, match=r"load the same revision with the same dtype"
        ):
            load_encoder(name, device="cpu", dtype="bfloat16", fingerprint=exact.fingerprint)
    with pytest.raises(ValueError, match=r'dtype must be "float32"'):
        load_encoder(f"hf:{bert}", dtype="int8")


def test_other_weights_have_another_fingerprint(torch, bert, tokenizer, tmp_path):
    from transformers import AutoModel

    model = AutoModel.from_pretrained(bert)
    encoder = load_encoder(f"hf:{bert}", device="cpu")
    with torch.no_grad():
        model.get_parameter("embeddings.word_embeddings.weight")[5, 5] += 1e-3
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    assert load_encoder(f"hf:{tmp_path}", device="cpu").fingerprint != encoder.fingerprint


def test_wrong_family_says_which_one_fits(bert, clip):
    with pytest.raises(ValueError, match=r'it has two towers, use "clip:'):
        load_encoder(f"hf:{clip}")
    with pytest.raises(ValueError, match=r'for a model with one tower use "hf:'):
        load_encoder(f"clip:{bert}")


def test_a_name_that_is_nowhere(torch, tmp_path, monkeypatch):
    import huggingface_hub.constants

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    for name in ("hf:nobody/nothing", "clip:nobody/nothing", "st:nobody/nothing"):
        with pytest.raises(EncoderUnavailableError, match=r"cannot load 'nobody/nothing'.*HF_HUB"):
            load_encoder(name)
    with pytest.raises(EncoderUnavailableError, match=r"cannot load"):
        load_encoder(f"hf:{tmp_path}")


def test_unreadable_image_is_named(clip, images, tmp_path):
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    encoder = load_encoder(f"clip:{clip}", device="cpu")
    with pytest.raises(ValueError, match=r"row 1: cannot read the image .*broken\.png"):
        encoder.encode([images[0], tmp_path / "broken.png"])


def test_pickled_weights_are_read_only_if_asked_for(torch, bert, tmp_path):
    from transformers import BertModel

    model = BertModel.from_pretrained(bert, add_pooling_layer=False)
    folder = tmp_path / "pickled"
    folder.mkdir()
    for file in bert.iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    torch.save(model.state_dict(), folder / "pytorch_model.bin")
    for name in (f"hf:{folder}", f"st:{folder}"):
        with pytest.raises(EncoderUnavailableError, match=r"pickled .*allow_pickle=True"):
            load_encoder(name, device="cpu")
    asked = load_encoder(f"hf:{folder}", device="cpu", allow_pickle=True)
    safe = load_encoder(f"hf:{bert}", device="cpu")
    np.testing.assert_array_equal(asked.encode(TEXTS), safe.encode(TEXTS))
    assert "allow_pickle" not in asked.settings  # so that a model file cannot ask for it


@pytest.mark.parametrize("family", ["hf", "st"])
def test_texts_that_are_cut_are_counted_once(bert, family):
    encoder = load_encoder(f"{family}:{bert}", device="cpu")
    fits, long = "cat " * 30, "cat " * 31  # 32 tokens are read, of which two are special
    encoder.encode([fits])
    with pytest.warns(UserWarning, match=r"2 of 3 texts have more than the 32 tokens"):
        encoder.encode([long, fits, long])
    encoder.encode([long])
