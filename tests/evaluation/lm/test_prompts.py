import pytest

from faast.evaluation.lm.prompts import SENTIMENT, Template, translation_template


def test_templates_are_filled_with_the_fields_of_a_record():
    assert SENTIMENT.columns == ["text", "label"]
    example = SENTIMENT.example({"text": "a {strange} film", "label": "positive"})
    assert example == ("Review: a {strange} film\nSentiment:", " positive")
    pair = {"source": "a dog", "target": "ein Hund"}
    assert "".join(translation_template("English", "German").example(pair)) == (
        "English: a dog\nGerman: ein Hund"
    )


@pytest.mark.parametrize("text", ["{", "{text", "{}", "{0}", "{text.label}"])
def test_braces_without_a_column_are_refused(text):
    with pytest.raises(ValueError, match="brace"):
        Template("{text}", text)


def test_a_field_without_a_value_is_refused():
    with pytest.raises(ValueError, match="'label' has no value"):
        SENTIMENT.example({"text": "good", "label": None})
    with pytest.raises(ValueError, match="'text' has no value"):
        SENTIMENT.fill_prompt({"text": None})
