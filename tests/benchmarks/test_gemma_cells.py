from dataclasses import replace

import pytest

from benchmarks.lm.gemma_cells import Cell, Cells
from benchmarks.lm.gemma_methods import NATURAL, PROJECTION, RECALL
from benchmarks.lm.gemma_tables import Tables


def cell(n_windows=2, losses=(1.0, 2.0), rate=None):
    return Cell("a text", "projection", n_windows, list(losses), 6.0, 1.5, 10, rate)


def test_cells_are_read_as_they_were_written(tmp_path):
    cells = Cells.read(tmp_path / "cells.json", "bfloat16")
    for one in (cell(rate=0.1), cell(losses=(1.0, 1.5), rate=0.2), cell(n_windows=8, rate=0.1)):
        cells.add(one)
    again = Cells.read(tmp_path / "cells.json", "bfloat16")
    assert again == cells
    assert again.best("a text", "projection", 2) == cell(losses=(1.0, 1.5), rate=0.2)
    assert again.best("a text", "projection", 3) is None
    assert again.best_rate("a text", "projection") == 0.2
    assert again.best_rate("a text", "recall") is None
    assert again.best_rate("other text", "projection") is None


def test_differences_are_paired_by_window():
    mean, half = cell(losses=(1.0, 2.0)).gap(cell(losses=(1.5, 2.7)))
    assert mean == pytest.approx(-0.6)
    assert half == pytest.approx(1.96 * 0.1)


def test_seconds_are_told_in_forward_passes():
    assert cell(n_windows=2).passes == pytest.approx(6.0 / (2 * 1.5))


def test_cells_in_other_numbers_are_refused(tmp_path):
    cells = Cells.read(tmp_path / "cells.json", "bfloat16")
    cells.add(cell())
    with pytest.raises(ValueError, match="not measured in float32; start over with --anew"):
        Cells.read(tmp_path / "cells.json", "float32")


def test_methods_are_compared_where_both_were_run(tmp_path):
    cells = Cells.read(tmp_path / "cells.json", "bfloat16")
    projection = replace(cell(), method=PROJECTION)
    natural = replace(cell(losses=(0.5, 0.5)), method=NATURAL)
    for one in (natural, projection):
        cells.add(one)
    tables = Tables(cells, [2])
    assert tables.pair("a text", NATURAL, PROJECTION, 2) == (natural, projection)
    assert tables.pair("a text", NATURAL, RECALL, 2) is None


@pytest.mark.parametrize(
    ("won", "lost", "expected"),
    [(2, 1, "not measured"), (2, 2, "**missed**"), (1, 2, "**missed**"), (3, 0, "met")],
)
def test_a_target_of_three_texts_is_open_while_it_can_be_met(tmp_path, won, lost, expected):
    cells = Cells.read(tmp_path / "cells.json", "bfloat16")
    for text in range(4):
        cells.add(replace(cell(), text=f"text {text}", method=RECALL))
    for text in range(won + lost):
        losses = (0.5, 0.5) if text < won else (1.5, 1.5)
        cells.add(replace(cell(losses=losses), text=f"text {text}", method=NATURAL))
        cells.add(replace(cell(losses=(1.0, 1.0)), text=f"text {text}", method=PROJECTION))
    found = Tables(cells, [2]).won(NATURAL, PROJECTION, 2)
    assert found == (f"{won} of {won + lost} that were run", expected)
