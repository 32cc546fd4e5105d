// Choose a class: one of a task, or a new one.

import { askIn, field, make } from "../dom.js";

const MAX_LABEL = 200;

/** An input of a class, which offers those of the task. */
export function classInput(task, attributes = {}) {
  const list = make(
    "datalist",
    { id: "classes-of-task" },
    Object.keys(task.classes).map((value) => make("option", { value })),
  );
  document.getElementById(list.id)?.remove();
  document.body.append(list);
  return make("input", {
    name: "label",
    list: list.id,
    maxlength: MAX_LABEL,
    autocomplete: "off",
    dir: "auto",
    ...attributes,
  });
}

/** Ask for a class in a dialog; resolve to null if it was closed. */
export async function chooseClass(task, title, value = null) {
  const given = await askIn({
    title,
    body: [
      field(
        "Label",
        classInput(task, { required: true, value }),
        "Choose a class from the list, or write a new one.",
      ),
    ],
    agree: "Use this label",
  });
  return given ? given.label.trim() || null : null;
}
