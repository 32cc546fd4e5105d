"""What a project of Label Studio asks for: one label for one text."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from xml.parsers import expat

from faast.serve.label_studio.messages import Part

Elements = list[tuple[str, dict[str, str]]]

SEVERAL = ("multiple",)
"""Values of `choice` with which a text may get several labels; any other means one."""


@dataclass(frozen=True)
class Labelling:
    """A `Choices` tag that gives one label to a `Text` tag.

    Attributes
    ----------
    control, object : str
        Names of the two tags.
    field : str
        Member of a task's data that holds the text.
    labels : tuple of str
        Labels that may be chosen, as annotations name them; empty if each task brings its own.
    """

    control: str
    object: str
    field: str
    labels: tuple[str, ...]

    @classmethod
    def parse(cls, config: str) -> Labelling:
        """Return what a labelling configuration asks for.

        Raises
        ------
        ValueError
            If it is no XML, declares entities, or asks for anything but one label for one text.
        """
        elements = _elements(config)
        controls = [attributes for tag, attributes in elements if tag == "Choices"]
        if len(controls) != 1:
            raise ValueError(
                f"the labelling configuration has {len(controls)} Choices tags; faast learns one "
                "label for each text, so give it exactly one"
            )
        (control,) = controls
        if control.get("choice") in SEVERAL:
            raise ValueError(
                'the Choices tag allows several labels for a text; write choice="single"'
            )
        texts = {found.get("name"): found for tag, found in elements if tag == "Text"}
        text = texts.get(control.get("toName"))
        if text is None or not text.get("value", "").startswith("$"):
            raise ValueError(
                "the Choices tag must label a Text tag: its toName must be the name of the Text, "
                'whose value must name a member of the data, such as value="$text"'
            )
        if not control.get("name"):
            raise ValueError("the Choices tag has no name; give it one")
        choices = [found for tag, found in elements if tag == "Choice"]
        labels = tuple(found.get("alias") or found.get("value", "") for found in choices)
        return cls(control["name"], control["toName"], text["value"][1:], labels)

    def label_of(self, result: Iterable[Part]) -> str | None:
        """Return the label that an annotation gives; None if it gives none.

        Raises
        ------
        ValueError
            If it gives several.
        """
        chosen = [part.value for part in result if part.from_name == self.control]
        labels = [label for value in chosen for label in value.choices]
        if len(labels) > 1 or not all(isinstance(label, str) for label in labels):
            raise ValueError("it gives several labels; faast learns one for each text")
        return labels[0] if labels else None

    def result_for(self, label: str) -> list[dict[str, Any]]:
        """Return the result of an annotation that gives a label."""
        return [
            {
                "from_name": self.control,
                "to_name": self.object,
                "type": "choices",
                "value": {"choices": [label]},
            }
        ]


def _elements(config: str) -> Elements:
    """Return the tags of an XML text with their attributes.

    A document type is refused, as it may declare entities that grow without bound when expanded or
    that name files.
    """
    found: Elements = []
    parser = expat.ParserCreate()
    parser.StartElementHandler = lambda tag, attributes: found.append((tag, attributes))
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(config, True)
    except expat.ExpatError as error:
        raise ValueError(f"the labelling configuration is not XML: {error}") from error
    return found


def _refuse_doctype(*declared: Any) -> None:
    raise ValueError("the labelling configuration declares a document type; remove its <!DOCTYPE>")
