// A row as people gave it: a text, a picture or numbers; without what it held, its number.

import { dataAddress, get, send } from "../api.js";
import { attempt, brief, button, make, name } from "../dom.js";
import { chooseClass } from "./choose.js";

const SHOWN_NUMBERS = 12;

/** Whether a task holds what a model file had learned, but none of the rows that taught it. */
export async function onlyFile({ at, task, signal }) {
  if (!task.rows) return false;
  const { rows } = await get(at("/rows?waiting=false&limit=1"), signal);
  return !rows.length;
}

/** Say why a view of rows is empty in such a task. */
export function fromFile(task) {
  return make(
    "div",
    { class: "card" },
    make(
      "p",
      {},
      "The model file holds what was learned, but not the rows that taught it. This view shows rows that are taught here.",
    ),
    make("a", { class: "button", href: `#/${task.name}/add` }, "Add rows"),
  );
}

/** Say in a few words which row it is, for names and messages. */
export function called(row) {
  return row.text ? brief(row.text) : `row ${row.id}`;
}

/** Show what a row holds; `size` is `short` in lists and `large` where it is the only one. */
export function content(row, size = "short", signal = undefined) {
  if (row.picture) return picture(row, size, signal);
  if (row.numbers) return make("p", { class: `text ${size}` }, numbersOf(row.numbers));
  if (!row.text)
    return make("p", { class: "text small" }, `Row ${row.id} (what it held is not kept)`);
  // a long text scrolls, which needs the focus
  const scrolls = size === "large" && row.text.length > 500;
  const focus = scrolls ? { tabindex: "0", role: "group", "aria-label": "Text" } : {};
  return make("p", { class: `text ${size}`, dir: "auto", ...focus }, row.text);
}

function numbersOf(numbers) {
  const more = numbers.length - SHOWN_NUMBERS;
  const first = numbers.slice(0, SHOWN_NUMBERS).map((number) => Number(number.toPrecision(4)));
  return first.join("  ") + (more > 0 ? `  … and ${more} more` : "");
}

function picture(row, size, signal) {
  const image = make("img", { class: `picture ${size}`, alt: `Picture of row ${row.id}` });
  attempt(async () => {
    image.src = await dataAddress(row.picture, signal);
  });
  return image;
}

/** A row of a list: what it holds, its label and where it came from, and what can be done. */
export function item(row, context, ...actions) {
  const facts = [
    row.label === null
      ? make("span", { class: "badge" }, "waits for a label")
      : make("span", { class: "badge on" }, name(row.label)),
    row.source ? make("small", {}, "from ", name(row.source)) : null,
    row.confirmed ? make("small", {}, "checked") : null,
  ];
  return make(
    "li",
    { class: "row" },
    make(
      "div",
      { class: "stack close" },
      content(row, "short", context.signal),
      make("div", { class: "line" }, facts),
    ),
    make("div", { class: "line" }, actions),
  );
}

/** The buttons of a row that has been learned: another label, or forget it. */
export function corrections(row, context, changed) {
  const { at, task } = context;
  return [
    button(
      row.label === null ? "Label" : "Correct",
      async () => {
        const label = await chooseClass(
          task,
          row.label === null ? "Which label?" : "Which label is right?",
          row.label,
        );
        if (label === null || label === row.label) return;
        await send("PATCH", at(`/rows/${row.id}`), { label });
        await changed(`It is ${label} now.`);
      },
      { "aria-label": `${row.label === null ? "Label" : "Correct"}: ${called(row)}` },
    ),
    button(
      "Forget",
      async () => {
        await send("DELETE", at(`/rows/${row.id}`));
        await changed("Forgotten, as if it had never been taught. Undo brings it back.");
      },
      { class: "quiet danger", "aria-label": `Forget: ${called(row)}` },
    ),
  ];
}
