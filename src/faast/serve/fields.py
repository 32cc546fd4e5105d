"""Fields that requests share, with their limits."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    WithJsonSchema,
)

from faast.data.images import image_size
from faast.data.labels import normalise_label
from faast.estimators.raw_rows import is_visible

MAX_TEXT = 20_000
"""Characters that a text may have."""

MAX_LABEL = 200
"""Characters that a label or a source may have."""

MAX_ROWS = 1_000
"""Rows or texts that a request may have."""

MAX_PICTURE = 5_000_000
"""Bytes that the file of a picture may have."""

MAX_PIXELS = 50_000_000
"""Pixels that a picture may have."""

MAX_REQUEST_PIXELS = 200_000_000
"""Pixels that all pictures of a request may have together."""

MAX_NUMBERS = 16_384
"""Numbers that a row may have."""

PICTURE_TYPES = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"RIFF": "image/webp"}
"""Media types of pictures, by the first bytes of their files."""

_MAX_ENCODED = 4 * -(-MAX_PICTURE // 3)


def picture_type(content: bytes) -> str | None:
    """Return the media type of an image file by its first bytes; None if it is no such type."""
    found = next((kind for start, kind in PICTURE_TYPES.items() if content.startswith(start)), None)
    return None if found == "image/webp" and content[8:12] != b"WEBP" else found


def check_picture(content: bytes) -> bytes:
    """Return the content of an image file; raise ValueError if it is not to be decoded.

    Nothing is decoded here: a small file can hold a picture that fills the memory.
    """
    if len(content) > MAX_PICTURE:
        raise ValueError(f"it has more than {MAX_PICTURE} bytes; make the picture smaller")
    if picture_type(content) is None:
        raise ValueError("it is no picture; send a PNG, JPEG or WebP file")
    width, height = image_size(content)
    if width * height > MAX_PIXELS:
        raise ValueError(f"it has more than {MAX_PIXELS} pixels; make the picture smaller")
    return content


def check_pixels(pictures: Sequence[bytes]) -> Sequence[bytes]:
    """Return the pictures of a request; raise ValueError if they have too many pixels together."""
    if sum(width * height for width, height in map(image_size, pictures)) > MAX_REQUEST_PIXELS:
        raise ValueError(
            f"the pictures have more than {MAX_REQUEST_PIXELS} pixels together; send them in "
            "several requests"
        )
    return pictures


def _picture(encoded: Any) -> bytes:
    if not isinstance(encoded, str):
        raise ValueError("it must be the base64 text of an image file")
    if len(encoded) > _MAX_ENCODED:
        raise ValueError(f"it has more than {MAX_PICTURE} bytes; make the picture smaller")
    try:
        content = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError("it is not base64; encode the bytes of the image file") from error
    return check_picture(content)


def require_visible(text: str) -> str:
    """Return a text; raise ValueError if it is blank, or no text that can be written."""
    if not is_visible(text):
        raise ValueError("it has no visible character; write some text")
    return require_encodable(text)


def require_encodable(text: str) -> str:
    """Return a text; raise ValueError if it has no bytes in UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("it has half of a surrogate pair; send whole characters") from error
    return text


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ValueError("it has a line break or control character; write it on one line")
    return text


def _as_label(given: Any) -> Any:
    return normalise_label(given) if isinstance(given, str) else given


LABEL_FORM = BeforeValidator(_as_label)
"""Gives labels and sources the form that those of uploads and files get."""

AnyText = Annotated[str, AfterValidator(require_encodable)]
Text = Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(require_visible)]
Label = Annotated[
    str,
    LABEL_FORM,
    Field(max_length=MAX_LABEL),
    AfterValidator(require_visible),
    AfterValidator(_one_line),
]
Picture = Annotated[
    bytes,
    BeforeValidator(_picture),
    WithJsonSchema({"type": "string", "contentEncoding": "base64", "maxLength": _MAX_ENCODED}),
]
Pictures = Annotated[
    list[Picture], Field(min_length=1, max_length=MAX_ROWS), AfterValidator(check_pixels)
]
Finite = Annotated[float, Field(allow_inf_nan=False)]
Numbers = Annotated[list[Finite], Field(min_length=1, max_length=MAX_NUMBERS)]
Texts = Annotated[list[Text], Field(min_length=1, max_length=MAX_ROWS)]


class Request(BaseModel):
    """Base class of requests: unknown members and wrong types are errors."""

    model_config = ConfigDict(extra="forbid", strict=True)
