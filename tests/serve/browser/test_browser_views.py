"""Every view: readable for everybody, in light and dark, on a phone; and its picture for the guide.

FAAST_PICTURES=1 writes the pictures to docs/images/serve.
"""

import io
import os
from pathlib import Path

import httpx
import pytest

PICTURES = Path(__file__).parents[3] / "docs" / "images" / "serve"

KEEP = bool(os.environ.get("FAAST_PICTURES"))
HIGHEST = 1_150
"""Pixels of a picture; what is below is left out."""

VIEWS = {
    "": "Tasks",
    "support/add": "Add rows",
    "support/label": "Label",
    "support/suspects": "Check labels",
    "support/try": "Try it",
    "support/accuracy": "Accuracy",
    "support/rows": "Rows",
    "support/classes": "Classes",
    "support/people": "People and privacy",
    "support/history": "History",
    "support/take": "Take it away",
}
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1200, "height": 760}

TAUGHT = {
    "card": [
        "I lost my card",
        "my card was stolen on the train",
        "the card never arrived",
        "when does my new card come",
        "the machine kept my card",
        "my card is broken",
        "I need a second card for my son",
        "please block my card now",
        "the shop did not take my card",
        "can my card be sent abroad",
        "my card has the wrong name on it",
        "how do I unlock the card",
    ],
    "top up": [
        "my top up failed",
        "the top up is still pending",
        "how do I top up from abroad",
        "top up by bank transfer",
        "why was my top up refused",
        "can I top up in cash",
        "I made a top up twice",
        "how much can I top up at once",
        "my top up does not show",
        "is there a fee for a top up",
        "cancel the top up of today",
        "top up with another card",
    ],
    "refund": [
        "where is my refund",
        "how long does a refund take",
        "the shop says the refund was sent",
        "refund me for the cancelled order",
        "I still wait for a refund",
        "the refund is too small",
        "can I get a refund to another card",
        "I want my money back",
        "the money for the return did not come",
        "when do I get the refund for the flight",
        "a refund was sent to the wrong account",
        "my refund shows as pending",
    ],
}
WRONG = ("please send me a new card", "refund")
WAITING = [
    "a card that I did not order came",
    "my refund is less than what I paid",
    "the top up went to another account",
    "how do I close my account",
    "I was charged twice for one order",
]


@pytest.fixture(scope="module")
def support(address):
    """A task with learned rows, one of them labelled wrong, and rows that wait."""
    with httpx.Client(base_url=address) as client:
        client.post("/v1/tasks", json={"name": "support", "kind": "texts"}).raise_for_status()
        rows = [
            pair
            for texts in zip(*TAUGHT.values(), strict=True)
            for pair in zip(texts, TAUGHT, strict=True)
        ]
        rows = [*rows, WRONG, *((text, None) for text in WAITING)]
        content = [
            {"text": text, "label": label, "source": ("ann", "bob")[position % 2]}
            for position, (text, label) in enumerate(rows)
        ]
        client.post("/v1/tasks/support/rows", json={"rows": content}).raise_for_status()
    return address


def _show(visitor, view):
    visitor.open(view)
    assert visitor.page.locator("h1").inner_text() == VIEWS[view]
    if view == "support/try":
        visitor.page.get_by_label("A text").fill("my card is lost, what now?")
        visitor.press("Control+Enter")
        visitor.shows("Why")
    if view == "support/accuracy":
        visitor.page.locator(".confusion .off button").first.click()
        visitor.page.locator("#behind").wait_for()
    if view == "support/label":
        visitor.page.locator(".figure").wait_for()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_is_for_everybody(visiting, support, view, scheme):
    visitor = visiting(support, color_scheme=scheme, viewport=DESK, reduced_motion="reduce")
    _show(visitor, view)
    assert visitor.serious() == []
    name = view.split("/")[-1] or "tasks"
    if KEEP and (scheme == "light" or name == "label"):
        _keep(visitor, name if scheme == "light" else f"{name}-{scheme}")


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_fits_a_phone(visiting, support, view):
    visitor = visiting(support, viewport=PHONE, has_touch=True, reduced_motion="reduce")
    _show(visitor, view)
    assert visitor.too_wide() <= 0
    assert visitor.serious() == []
    if KEEP and view == "support/label":
        _keep(visitor, "label-phone")
    if view:
        visitor.button("Menu").click()
        assert visitor.page.get_by_role("link", name="Take it away").is_visible()
        assert visitor.too_wide() <= 0


def _keep(visitor, name):
    """Write what is shown, with few colours, so that the file is small."""
    from PIL import Image

    visitor.page.evaluate("window.scrollTo(0, 0)")
    shot = Image.open(io.BytesIO(visitor.page.screenshot(full_page=True)))
    shot = shot.crop((0, 0, shot.width, min(shot.height, HIGHEST)))
    PICTURES.mkdir(parents=True, exist_ok=True)
    shot.convert("RGB").quantize(128).save(PICTURES / f"{name}.png", optimize=True)
