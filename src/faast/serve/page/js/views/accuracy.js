// How accurate it is: over all, over rows taught, by class, and what is taken for what.

import { get } from "../api.js";
import { attempt, button, count, make, name, percent, say } from "../dom.js";
import { curve } from "../parts/chart.js";
import { corrections, fromFile, item, onlyFile } from "../parts/row.js";
import { shares } from "../parts/shares.js";

export const title = "Accuracy";

const IN_PICTURE = 15; // classes that a picture of all pairs has room for

export async function show(context) {
  const { at, task, signal } = context;
  if (!task.rows) {
    return make(
      "div",
      { class: "card" },
      make("p", {}, "There are no rows to measure with. Teach a few first."),
      make("a", { class: "button", href: `#/${task.name}/add` }, "Add rows"),
    );
  }
  if (await onlyFile(context)) return fromFile(task);
  const [measured, { points }] = await Promise.all([
    get(at("/evaluation"), signal),
    get(at("/evaluation/curve"), signal),
  ]);
  const [low, high] = measured.interval.map((share) => percent(share));
  const behind = make("section", {
    class: "card stack",
    "aria-labelledby": "behind",
    tabindex: "-1",
    hidden: true,
  });
  return [
    make(
      "p",
      { class: "lead" },
      "Each row is asked as if it had never been taught. So these numbers are what new rows of the same kind would get.",
    ),
    make(
      "div",
      { class: "stack" },
      make(
        "div",
        { class: "two even" },
        make(
          "section",
          { class: "card stack", "aria-labelledby": "overall" },
          make("h2", { id: "overall" }, "Over all"),
          make("p", { class: "figure" }, percent(measured.accuracy, 1)),
          make(
            "p",
            { class: "small" },
            `${measured.right} of ${count(measured.rows, "row")} are right. For new rows expect ${low} to ${high}: a 95% interval.`,
          ),
          points.length > 1 ? curve(points) : null,
        ),
        make(
          "section",
          { class: "card stack", "aria-labelledby": "by-class" },
          make("h2", { id: "by-class" }, "By class"),
          byClass(measured),
        ),
      ),
      make(
        "section",
        { class: "card stack", "aria-labelledby": "confusion" },
        make("h2", { id: "confusion" }, "What is taken for what"),
        confusion(measured, (cell) => attempt(() => showRows(context, behind, cell))),
      ),
      behind,
    ),
  ];
}

function byClass({ classes }) {
  const worstFirst = Object.entries(classes).sort(
    ([, one], [, other]) => one.right / one.rows - other.right / other.rows,
  );
  return shares(
    worstFirst.map(([label, { rows, right }]) => [label, right / rows, `${right} of ${rows}`]),
  );
}

function confusion(measured, choose) {
  const labels = Object.keys(measured.classes);
  return labels.length <= IN_PICTURE
    ? table(labels, measured.confusion, choose)
    : mistakes(measured.confusion, choose);
}

function cellButton(cell, words, choose) {
  const { label, predicted, rows } = cell;
  const wrong = label !== predicted;
  return button(
    words,
    (pressed) => {
      for (const other of pressed.currentTarget
        .closest("section")
        .querySelectorAll("[aria-pressed]"))
        other.setAttribute("aria-pressed", "false");
      pressed.currentTarget.setAttribute("aria-pressed", "true");
      choose(cell);
    },
    {
      "aria-pressed": "false",
      "aria-label": `${count(rows, "row")} of ${label}${wrong ? ` taken for ${predicted}` : " recognised"}`,
    },
  );
}

function table(labels, cells, choose) {
  const predictions = [...new Set([...labels, ...cells.map(({ predicted }) => predicted)])];
  const most = Math.max(...cells.map(({ rows }) => rows));
  const at = new Map(cells.map((cell) => [JSON.stringify([cell.label, cell.predicted]), cell]));
  const body = labels.map((label) =>
    make(
      "tr",
      {},
      make("th", { scope: "row" }, name(label)),
      predictions.map((predicted) => {
        const cell = at.get(JSON.stringify([label, predicted]));
        if (!cell?.rows) return make("td", { class: "none" }, "·");
        const shown = cellButton(cell, String(cell.rows), choose);
        shown.style.setProperty("--strength", percent(0.1 + (0.3 * cell.rows) / most));
        return make("td", { class: label === predicted ? null : "off" }, shown);
      }),
    ),
  );
  return [
    make(
      "p",
      { class: "small" },
      "A line for each right label, a column for what it was taken for. Press a number to see the rows behind it.",
    ),
    make(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "What is taken for what" },
      make(
        "table",
        { class: "confusion" },
        make(
          "thead",
          {},
          make(
            "tr",
            {},
            make("td"),
            predictions.map((label) => make("th", { scope: "col" }, name(label))),
          ),
        ),
        make("tbody", {}, body),
      ),
    ),
  ];
}

function mistakes(cells, choose) {
  const wrong = cells
    .filter(({ label, predicted }) => label !== predicted)
    .sort((one, other) => other.rows - one.rows);
  if (!wrong.length) return make("p", {}, "No row is taken for another class.");
  return [
    make("p", { class: "small" }, "The most common mistakes. Press one to see the rows behind it."),
    make(
      "div",
      { class: "answers" },
      wrong
        .slice(0, 30)
        .map((cell) =>
          cellButton(
            cell,
            [name(cell.label), " → ", name(cell.predicted), make("small", {}, cell.rows)],
            choose,
          ),
        ),
    ),
  ];
}

async function showRows(context, place, { label, predicted }) {
  const query = new URLSearchParams({ label, predicted });
  const changed = async (message) => {
    await context.again();
    say(message);
  };
  const { rows } = await get(context.at(`/evaluation/rows?${query}`), context.signal);
  place.replaceChildren(
    make(
      "h2",
      { id: "behind" },
      label === predicted
        ? ["Rows of ", name(label), " that are recognised"]
        : ["Rows of ", name(label), " taken for ", name(predicted)],
    ),
    make(
      "ul",
      { class: "list" },
      rows.map((row) => item(row, context, corrections(row, context, changed))),
    ),
  );
  place.hidden = false;
  place.focus();
}
