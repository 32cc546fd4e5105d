// All tasks: open one, make one, or bring a model file.

import { get, post, upload } from "../api.js";
import { count, field, make } from "../dom.js";
import { dropPlace } from "../parts/drop.js";

export const title = "Tasks";

const KINDS = {
  texts: ["Texts", "mails, questions, reviews"],
  pictures: ["Pictures", "photos, or shots of a camera"],
  numbers: ["Numbers", "rows of a table, measurements"],
};
const NAME = "[A-Za-z0-9][A-Za-z0-9_\\-]{0,63}";

export async function show({ go, scope, signal }) {
  const { tasks, unserved } = await get("/v1/tasks", signal);
  const first = tasks.length === 0;
  const tiles = tasks.map((task) => tile(task, scope));
  if (scope !== "admin") return shared(tiles);
  return [
    make(
      "p",
      { class: "lead" },
      first
        ? "Show examples, say what they are, and the model learns them at once. Start with a task: what shall it tell apart?"
        : "Open a task to teach it, or to ask it.",
    ),
    make(
      "div",
      { class: "stack" },
      first ? null : make("ul", { class: "list tiles", "aria-label": "Tasks" }, tiles),
      notServed(unserved),
      newTask(go, first),
      bring(go),
    ),
  ];
}

/** What somebody sees who may not make tasks. */
function shared(tiles) {
  if (!tiles.length)
    return make("p", { class: "lead" }, "There is no task yet. Whoever runs the server makes one.");
  return [
    make("p", { class: "lead" }, "Open a task to use it as far as your token allows."),
    make("ul", { class: "list tiles", "aria-label": "Tasks" }, tiles),
  ];
}

function tile({ name, kind = "texts", rows, waiting = 0, classes }, scope) {
  const first = scope === "ask" ? "try" : rows || waiting ? "label" : "add";
  return make(
    "li",
    { class: "card tile" },
    make("h2", {}, make("a", { href: `#/${name}/${first}` }, name)),
    make(
      "p",
      { class: "small" },
      KINDS[kind][0],
      ": ",
      rows
        ? `${count(rows, "row")} in ${count(Object.keys(classes).length, "class", "classes")}`
        : "nothing learned yet",
    ),
    waiting
      ? make(
          "p",
          {},
          make(
            "span",
            { class: "badge on" },
            `${waiting.toLocaleString("en")} waiting for a label`,
          ),
        )
      : null,
  );
}

function notServed(files) {
  const names = Object.entries(files);
  if (!names.length) return null;
  return make(
    "div",
    { class: "notice wrong" },
    make("h2", {}, "Some files of the folder are not served"),
    make(
      "ul",
      {},
      names.map(([name, why]) => make("li", {}, `${name}: ${why}`)),
    ),
  );
}

function newTask(go, first) {
  const name = make("input", {
    name: "name",
    required: true,
    pattern: NAME,
    maxlength: 64,
    title: "Letters, digits, - and _; it starts with a letter or digit",
    autocomplete: "off",
    autofocus: first,
  });
  const kinds = Object.entries(KINDS).map(([kind, [words, such]], position) =>
    make(
      "label",
      { class: "choice" },
      make("input", { type: "radio", name: "kind", value: kind, checked: position === 0 }),
      make("span", {}, words, make("br"), make("small", {}, such)),
    ),
  );
  const form = make(
    "form",
    {
      class: "card stack",
      "aria-labelledby": "new-task",
      on: {
        submit: async () => {
          const given = new FormData(form);
          const made = await post("/v1/tasks", {
            name: given.get("name"),
            kind: given.get("kind"),
            keep_rows: given.has("keep"),
          });
          go(made.name, "add");
        },
      },
    },
    make("h2", { id: "new-task" }, "New task"),
    field("Name", name, "Such as mail or flowers: letters, digits, - and _."),
    make(
      "fieldset",
      {},
      make("legend", {}, "What it learns from"),
      make("div", { class: "tiles" }, kinds),
    ),
    make(
      "label",
      { class: "choice" },
      make("input", { type: "checkbox", name: "keep", checked: true }),
      make(
        "span",
        {},
        "Keep the rows",
        make("br"),
        make(
          "small",
          {},
          "So that you can see and correct them later. Without this the server keeps only what it computes from them.",
        ),
      ),
    ),
    make("div", {}, make("button", { class: "primary" }, "Make the task")),
  );
  return form;
}

function bring(go) {
  const called = make("input", {
    pattern: NAME,
    maxlength: 64,
    title: "Letters, digits, - and _; it starts with a letter or digit",
    autocomplete: "off",
  });
  return make(
    "section",
    { class: "card stack", "aria-labelledby": "bring" },
    make("h2", { id: "bring" }, "Bring a model"),
    field("Call it (optional)", called, "Without this it is called like the file."),
    dropPlace({
      words: "Drop a .faast file that was downloaded here or written by faast learn.",
      accept: ".faast",
      multiple: false,
      take: async ([{ file }]) => {
        if (!called.reportValidity()) return;
        const name = (called.value || file.name)
          .replace(/\.faast$/i, "")
          .replace(/[^A-Za-z0-9_-]+/g, "-")
          .replace(/^[-_]+/, "");
        const made = await upload(
          `/v1/import?name=${encodeURIComponent(name.slice(0, 64) || "model")}`,
          file,
        );
        go(made.name, "try");
      },
    }),
  );
}
