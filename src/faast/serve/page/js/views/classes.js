// The classes: add, rename, merge and forget them.

import { post } from "../api.js";
import { askIn, button, count, field, make, name, say } from "../dom.js";

export const title = "Classes";

const MAX_LABEL = 200;

export async function show(context) {
  const { task, at, again } = context;
  const classes = Object.entries(task.classes);

  async function change(action, content, message) {
    await post(at(`/classes/${action}`), content);
    await again();
    say(message);
  }

  const labelInput = (value = null) =>
    make("input", {
      name: "label",
      required: true,
      maxlength: MAX_LABEL,
      autocomplete: "off",
      dir: "auto",
      value,
    });

  const rename = async (label) => {
    const given = await askIn({
      title: "Rename the class",
      body: [field("New name", labelInput(label))],
      agree: "Rename",
    });
    if (given && given.label !== label)
      await change(
        "rename",
        { label, to: given.label.trim() },
        `${label} is called ${given.label.trim()} now.`,
      );
  };

  const forget = async (label, rows) => {
    const sure = await askIn({
      title: "Forget the class?",
      body: [
        make(
          "p",
          {},
          name(label),
          ` and its ${count(rows, "row")} are forgotten, as if they had never been taught. Undo brings them back.`,
        ),
      ],
      agree: "Forget it",
      danger: true,
    });
    if (sure) await change("forget", { label }, `${label} is forgotten.`);
  };

  const merge = async () => {
    const labels = [...document.querySelectorAll("input[name=merged]:checked")].map(
      ({ value }) => value,
    );
    if (labels.length < 2) throw new Error("Tick two classes or more to merge them.");
    const given = await askIn({
      title: `Merge ${labels.length} classes`,
      body: [
        make("p", {}, "All their rows get one label."),
        field("Name of the merged class", labelInput(labels[0])),
      ],
      agree: "Merge",
    });
    if (given)
      await change(
        "merge",
        { labels, into: given.label.trim() },
        `They are ${given.label.trim()} now.`,
      );
  };

  const added = labelInput();
  const add = make(
    "form",
    {
      class: "card stack",
      on: {
        submit: () =>
          change("add", { label: added.value.trim() }, `${added.value.trim()} can be taught now.`),
      },
    },
    field("New class", added, "It is offered when you label, before it has rows."),
    make("div", {}, make("button", { class: "primary" }, "Add the class")),
  );

  const line = ([label, rows]) =>
    make(
      "li",
      { class: "row" },
      make(
        "div",
        { class: "line" },
        make("input", {
          type: "checkbox",
          name: "merged",
          value: label,
          "aria-label": `Merge ${label}`,
        }),
        make("a", { href: `#/${task.name}/rows?${new URLSearchParams({ label })}` }, name(label)),
        make("small", {}, count(rows, "row")),
      ),
      make(
        "div",
        { class: "line" },
        button("Rename", () => rename(label), { class: "quiet", "aria-label": `Rename ${label}` }),
        button("Forget", () => forget(label, rows), {
          class: "quiet danger",
          "aria-label": `Forget ${label}`,
        }),
      ),
    );

  return [
    make(
      "p",
      { class: "lead" },
      "Every change here is exact and at once: nothing is trained again, and undo takes it back.",
    ),
    make(
      "div",
      { class: "stack" },
      classes.length
        ? make(
            "div",
            { class: "card stack" },
            make("ul", { class: "list", "aria-label": "Classes" }, classes.map(line)),
            classes.length > 1 ? make("div", {}, button("Merge the ticked classes", merge)) : null,
          )
        : null,
      add,
    ),
  ];
}
