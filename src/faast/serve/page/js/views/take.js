// Take it away: the model, its graph, its rows, and what to write to use them.

import { blob, save } from "../api.js";
import { button, make, say } from "../dom.js";

export const title = "Take it away";

export async function show({ at, task }) {
  const { name } = task;
  if (!task.rows) {
    return make(
      "div",
      { class: "card" },
      make("p", {}, "There is nothing to take away yet. Teach a few rows first."),
      make("a", { class: "button", href: `#/${name}/add` }, "Add rows"),
    );
  }
  const file = (words, path, saved) =>
    button(words, async () => save(await blob(at(path)), saved), { class: "download" });
  return [
    make("p", { class: "lead" }, "All of it is yours, and works without this server."),
    make(
      "div",
      { class: "stack" },
      card(
        "Model",
        "All that it has learned, in one file. It predicts, and can be taught further.",
        [file("Download the model", "/model", `${name}.faast`)],
        [snippet("On the command line", command(task)), snippet("In Python", python(task))],
      ),
      card(
        "For other languages and devices",
        "A graph for ONNX runtimes, from features to probabilities.",
        [file("Download the graph", "/onnx", `${name}.onnx`)],
      ),
      task.keep_rows &&
        card(
          "Rows",
          "All rows with their labels.",
          [
            file("Download as CSV", "/export?format=csv", `${name}.csv`),
            file("Download as JSON Lines", "/export?format=jsonl", `${name}.jsonl`),
          ],
          [
            task.kind === "texts"
              ? snippet("Learn them elsewhere", `faast learn ${name}.csv --out ${name}.faast`)
              : null,
          ],
        ),
      card(
        "Ask this server",
        "From any program on this machine.",
        [],
        [snippet("With curl", curl(task))],
      ),
    ),
  ];
}

const EXAMPLE = { texts: "some text", pictures: "picture.png", numbers: "0.5,1.5,2.5" };

function command({ name, kind, encoder }) {
  return `pip install ${needed(kind, encoder)}\nfaast predict ${name}.faast --row "${EXAMPLE[kind]}"`;
}

/** What the model needs to be installed: faast, and what its encoder is made of. */
function needed(kind, encoder) {
  if (encoder === null || encoder === "hashing") return "faast";
  if (encoder === "pixels") return "faast pillow";
  return kind === "texts" ? '"faast[text]"' : '"faast[image]"';
}

function python({ name, kind }) {
  const row = { texts: '["some text"]', pictures: '["picture.png"]', numbers: "[[0.5, 1.5, 2.5]]" }[
    kind
  ];
  return `import faast\n\nmodel = faast.load("${name}.faast")\nprint(model.predict(${row}))`;
}

function curl({ name, kind }) {
  const row = {
    texts: '{"texts": ["some text"]}',
    pictures: '{"pictures": ["BASE64"]}',
    numbers: '{"numbers": [[0.5, 1.5, 2.5]]}',
  }[kind];
  const token = sessionStorage.getItem("faast token")
    ? ' \\\n  -H "Authorization: Bearer YOUR_TOKEN"'
    : "";
  return `curl ${location.origin}/v1/tasks/${name}/ask \\\n  -H "Content-Type: application/json"${token} \\\n  -d '${row}'`;
}

function card(heading, words, files, snippets = []) {
  return make(
    "section",
    { class: "card stack", "aria-label": heading },
    make("div", {}, make("h2", {}, heading), make("p", { class: "small" }, words)),
    files.length ? make("div", { class: "line" }, files) : null,
    snippets,
  );
}

function snippet(words, code) {
  return make(
    "div",
    { class: "stack close" },
    make(
      "div",
      { class: "line spread" },
      make("h3", {}, words),
      button(
        "Copy",
        async () => {
          await navigator.clipboard.writeText(code);
          say("Copied.");
        },
        { class: "quiet", "aria-label": `Copy: ${words}` },
      ),
    ),
    make("pre", { class: "code", tabindex: "0" }, make("code", {}, code)),
  );
}
