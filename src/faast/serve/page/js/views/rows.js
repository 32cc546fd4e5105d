// All rows, by label, by source, or those that wait.

import { get } from "../api.js";
import { button, field, make, say } from "../dom.js";
import { corrections, fromFile, item, onlyFile } from "../parts/row.js";

export const title = "Rows";

const AT_ONCE = 50;

export async function show(context) {
  const { task, at, signal, parameters, go, again } = context;
  if (!task.waiting && (await onlyFile(context))) return fromFile(task);
  const sources = Object.keys(await get(at("/sources"), signal));
  const list = make("ul", { class: "list", "aria-label": "Rows" });
  const more = button("More rows", () => read());
  let after = 0;

  async function read() {
    const query = new URLSearchParams({ ...Object.fromEntries(parameters), after, limit: AT_ONCE });
    const page = await get(at(`/rows?${query}`), signal);
    list.append(...page.rows.map((row) => item(row, context, corrections(row, context, changed))));
    more.hidden = page.next === null;
    after = page.next;
    if (!list.children.length) list.append(make("li", {}, "There are no such rows."));
  }

  async function changed(message) {
    await again();
    say(message);
  }

  const choose = (key, values, all) =>
    make(
      "select",
      {
        on: {
          change: ({ target }) => {
            const chosen = Object.fromEntries(parameters);
            delete chosen[key];
            go(task.name, "rows", target.value ? { ...chosen, [key]: target.value } : chosen);
          },
        },
      },
      make("option", { value: "" }, all),
      values.map(([value, words]) =>
        make("option", { value, selected: parameters.get(key) === value }, words),
      ),
    );

  await read();
  return make(
    "div",
    { class: "stack" },
    make(
      "div",
      { class: "card tiles" },
      field(
        "Label",
        choose(
          "label",
          Object.keys(task.classes).map((label) => [label, label]),
          "Any label",
        ),
      ),
      field(
        "From",
        choose(
          "source",
          sources.map((source) => [source, source]),
          "Anyone",
        ),
      ),
      field(
        "Which",
        choose(
          "waiting",
          [
            ["false", "Learned"],
            ["true", "Waiting for a label"],
          ],
          "All rows",
        ),
      ),
    ),
    make("div", { class: "card" }, list),
    make("div", {}, more),
  );
}
