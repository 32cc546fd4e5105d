"""Rows come from files, from folders of pictures, from the camera, and as numbers."""

import colorsys
import random
import shutil
import subprocess
import sys

import httpx
import pytest
from PIL import Image

FAAST = f"{sys.executable} -m faast"


def make_task(address, name, kind):
    httpx.post(f"{address}v1/tasks", json={"name": name, "kind": kind}).raise_for_status()


def described(address, name):
    return httpx.get(f"{address}v1/tasks/{name}").json()


def test_a_file_is_read_as_a_job_and_what_it_gave_is_told(visitor, address, tmp_path):
    make_task(address, "table", "texts")
    file = tmp_path / "mail.csv"
    file.write_text("text,label\nI lost my card,card\nmy top up failed,top up\nwho knows,\n")
    visitor.open("table/add")
    visitor.page.get_by_label("Who they are from (optional)").fill("mail.csv")
    visitor.page.locator("input[type=file]").first.set_input_files(file)
    visitor.shows("Done: 3 rows.")
    task = described(address, "table")
    assert (task["classes"], task["waiting"]) == ({"card": 1, "top up": 1}, 1)
    assert httpx.get(f"{address}v1/tasks/table/sources").json() == {"mail.csv": 3}
    visitor.button("Forget these rows again").click()
    visitor.shows("The rows of the file are forgotten")
    assert described(address, "table")["rows"] == 0


def test_a_file_is_dropped(visitor, address):
    make_task(address, "dropped", "texts")
    visitor.open("dropped/add")
    carried = visitor.page.evaluate_handle(
        """() => {
          const carried = new DataTransfer();
          carried.items.add(new File(["text,label\\na cat,cat\\n"], "cats.csv"));
          return carried;
        }"""
    )
    visitor.page.locator(".drop").dispatch_event("drop", {"dataTransfer": carried})
    visitor.shows("Done: 1 row.")
    assert described(address, "dropped")["classes"] == {"cat": 1}


def test_a_file_of_another_kind_is_refused_with_advice(visitor, address, tmp_path):
    make_task(address, "wrongfile", "texts")
    file = tmp_path / "mail.docx"
    file.write_bytes(b"PK")
    visitor.open("wrongfile/add")
    visitor.page.locator("input[type=file]").first.set_input_files(file)
    visitor.shows("mail.docx is none of .csv, .jsonl and .zip.")


@pytest.fixture
def painted(tmp_path):
    """Folders of pictures, each with one colour that varies a little."""
    chance = random.Random(0)
    for folder, hue in {"red": 0.0, "blue": 0.6}.items():
        (tmp_path / "colours" / folder).mkdir(parents=True)
        for number in range(4):
            colour = colorsys.hsv_to_rgb(hue + chance.uniform(-0.03, 0.03), 0.9, 0.8)
            image = Image.new("RGB", (48, 48), tuple(round(255 * part) for part in colour))
            image.save(tmp_path / "colours" / folder / f"{number}.png")
    return tmp_path / "colours"


def test_a_folder_of_pictures_is_learned_by_the_names_of_its_folders(visitor, address, painted):
    make_task(address, "colours", "pictures")
    visitor.open("colours/add")
    visitor.page.locator("input[webkitdirectory]").set_input_files(painted)
    visitor.shows("8 rows added.")
    assert described(address, "colours")["classes"] == {"blue": 4, "red": 4}

    visitor.open("colours/try")
    new = painted / "new.png"
    Image.new("RGB", (48, 48), (10, 40, 200)).save(new)
    visitor.page.locator("input[type=file]").set_input_files(new)
    visitor.page.locator(".verdict", has_text="blue").wait_for()
    assert visitor.page.locator(".regions rect").count() > 1
    visitor.open("colours/rows")
    visitor.page.wait_for_function(
        "() => document.images.length === 8"
        " && [...document.images].every(image => image.naturalWidth)"
    )
    assert visitor.serious() == []


def test_the_camera_takes_a_shot_a_press_and_more_while_it_is_held(visitor, address):
    make_task(address, "camera", "pictures")
    visitor.open("camera/add")
    visitor.page.get_by_label("Their label (optional)").fill("test card")
    visitor.button("Use the camera").click()
    visitor.page.wait_for_function("() => document.querySelector('video')?.videoWidth > 0")
    visitor.button("Take a picture").press("Enter")
    visitor.shows("1 row added.")
    assert described(address, "camera")["classes"] == {"test card": 1}
    visitor.page.keyboard.down("Space")
    visitor.page.wait_for_timeout(1_500)
    visitor.page.keyboard.up("Space")
    visitor.button("Turn the camera off").click()
    visitor.button("Use the camera").wait_for()
    assert described(address, "camera")["rows"] >= 3


def test_a_zip_of_pictures_is_learned(visitor, address, painted, tmp_path):
    make_task(address, "zipped", "pictures")
    visitor.open("zipped/add")
    archive = shutil.make_archive(tmp_path / "colours", "zip", painted)
    visitor.page.locator("input[accept*=zip]").set_input_files(archive)
    visitor.shows("Done: 8 rows.")
    assert described(address, "zipped")["classes"] == {"blue": 4, "red": 4}


def test_everything_that_can_be_taken_away_is(visiting, address):
    make_task(address, "taken", "texts")
    rows = [
        {"text": f"{label} {n}", "label": label} for label in ("a cat", "a dog") for n in range(3)
    ]
    httpx.post(f"{address}v1/tasks/taken/rows", json={"rows": rows})
    visitor = visiting(address, accept_downloads=True)
    visitor.open("taken/take")
    taken = {}
    for name in ("Download the model", "Download the graph", "Download as CSV"):
        with visitor.page.expect_download() as download:
            visitor.button(name).click()
        taken[download.value.suggested_filename] = download.value.path()
    assert set(taken) == {"taken.faast", "taken.onnx", "taken.csv"}
    assert "a cat 0,a cat" in taken["taken.csv"].read_text()
    visitor.open()
    visitor.page.locator("input[accept='.faast']").set_input_files(
        {
            "name": "brought.faast",
            "mimeType": "application/octet-stream",
            "buffer": taken["taken.faast"].read_bytes(),
        }
    )
    visitor.page.get_by_label("A text").wait_for()
    assert described(address, "brought")["classes"] == {"a cat": 3, "a dog": 3}
    visitor.open("brought/accuracy")  # the file holds what was learned, and not the rows
    visitor.shows("but not the rows that taught it")
    visitor.problems.clear()  # that the server said so


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("texts", [{"text": f'it\'s "{word}"', "label": word} for word in ("cat", "dog", None)]),
        ("numbers", [{"numbers": [n, 2.5], "label": f"about {n}"} for n in (1, 20)]),
    ],
)
def test_what_the_page_says_to_type_works_as_it_stands(visiting, address, tmp_path, kind, rows):
    make_task(address, f"typed-{kind}", kind)
    httpx.post(f"{address}v1/tasks/typed-{kind}/rows", json={"rows": rows}).raise_for_status()
    visitor = visiting(address, accept_downloads=True)
    visitor.open(f"typed-{kind}/take")
    with visitor.page.expect_download() as download:
        visitor.button("Download the model").click()
    download.value.save_as(tmp_path / f"typed-{kind}.faast")
    if kind == "texts":
        with visitor.page.expect_download() as download:
            visitor.button("Download as CSV").click()
        download.value.save_as(tmp_path / "typed-texts.csv")
        relearn = visitor.page.get_by_text("faast learn").inner_text()
        _run(relearn.replace("faast", FAAST, 1), tmp_path, shell=True)
    written = {
        name: visitor.page.locator(f"div:has(> div > h3:text-is('{name}')) > pre").inner_text()
        for name in ("On the command line", "In Python", "With curl")
    }
    _, _, command = written["On the command line"].partition("\n")
    command = command.replace("faast", FAAST, 1)
    for typed in (command, written["With curl"]):
        assert rows[0]["label"] in _run(typed, tmp_path, shell=True)
    assert rows[0]["label"] in _run([sys.executable, "-c", written["In Python"]], tmp_path)


def _run(command, folder, **options):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_numbers_are_pasted_and_asked_and_a_bad_line_is_named(visitor, address):
    make_task(address, "sizes", "numbers")
    visitor.open("sizes/add")
    area = visitor.page.get_by_label("Numbers, one row a line")
    for label, lines in {"small": "1, 2\n1.5, 2.5\n2, 1", "large": "10 20\n11 21\n12 19"}.items():
        visitor.page.get_by_label("Their label (optional)").fill(label)
        area.fill(lines)
        visitor.button("Add", exact=True).click()
        visitor.shows("3 rows added.")
        visitor.page.wait_for_function("() => document.querySelector('textarea').value === ''")
    area.fill("1, 2\n3, three")
    visitor.button("Add", exact=True).click()
    visitor.shows("Line 2: three is not a number.")
    visitor.open("sizes/try")
    visitor.page.get_by_label("A row of numbers").fill("11 20")
    visitor.button("Ask").click()
    visitor.page.locator(".verdict", has_text="large").wait_for()


def test_rows_that_are_not_kept_are_shown_by_their_number(visitor, address):
    make_task(address, "private", "texts")
    rows = [{"text": "secret one", "label": "a"}, {"text": "secret two", "label": "b"}]
    httpx.post(f"{address}v1/tasks/private/rows", json={"rows": rows})
    visitor.open("private/people")
    visitor.button("Stop keeping rows").click()
    visitor.button("Erase and stop").click()
    visitor.shows("Rows are no longer kept.")
    visitor.open("private/rows")
    visitor.shows("(what it held is not kept)")
    assert visitor.page.get_by_text("secret").count() == 0


def test_a_person_is_forgotten_with_a_certificate(visiting, address):
    make_task(address, "people", "texts")
    rows = [{"text": f"text {n}", "label": "ab"[n % 2], "source": "ann"} for n in range(4)]
    rows += [{"text": f"more {n}", "label": "ab"[n % 2], "source": "bob"} for n in range(4)]
    httpx.post(f"{address}v1/tasks/people/rows", json={"rows": rows})
    visitor = visiting(address, accept_downloads=True)
    visitor.open("people/people")
    visitor.button("Forget ann for good").click()
    visitor.button("Forget for good", exact=True).last.click()
    with visitor.page.expect_download() as download:
        visitor.button("Download the certificate").click()
    assert '"rows_forgotten": 4' in download.value.path().read_text()
    assert httpx.get(f"{address}v1/tasks/people/sources").json() == {"bob": 4}


def test_classes_are_merged_and_history_takes_it_back(visitor, address):
    make_task(address, "merging", "texts")
    rows = [{"text": f"text {label}", "label": label} for label in ("cat", "kitten", "dog")]
    httpx.post(f"{address}v1/tasks/merging/rows", json={"rows": rows})
    visitor.open("merging/classes")
    for label in ("cat", "kitten"):
        visitor.page.get_by_label(f"Merge {label}", exact=True).check()
    visitor.button("Merge the ticked classes").click()
    visitor.button("Merge", exact=True).click()
    visitor.shows("They are cat now.")
    assert described(address, "merging")["classes"] == {"cat": 2, "dog": 1}
    visitor.open("merging/history")
    visitor.press("u")
    visitor.shows("The last change was taken back.")
    assert described(address, "merging")["classes"] == {"cat": 1, "dog": 1, "kitten": 1}
