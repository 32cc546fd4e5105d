// Take it away: the model, its graph, its rows, and what to write to use them.

import { blob, get, hasToken, save } from "../api.js";
import { button, make, say } from "../dom.js";

export const title = "Take it away";

export async function show(context) {
  const { at, task } = context;
  const { name } = task;
  if (!task.rows) {
    return make(
      "div",
      { class: "card" },
      make("p", {}, "There is nothing to take away yet. Teach a few rows first."),
      make("a", { class: "button", href: `#/${name}/add` }, "Add rows"),
    );
  }
  const example = await exampleOf(context);
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
        [
          snippet("On the command line", command(task, example)),
          snippet("In Python", python(task, example)),
        ],
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
          [task.kind === "texts" ? snippet("Learn them elsewhere", relearn(task)) : null],
        ),
      card(
        "Ask this server",
        "From any program on this machine.",
        [],
        [snippet("With curl", curl(task, example))],
      ),
    ),
  ];
}

const LONG = 60; // letters of an example that are shown
const UNSEEN = /[\p{C}\p{Zl}\p{Zp}]/u; // a terminal would obey control characters
const MANY = 12; // numbers of an example that are shown

/** Return a learned row as an example, as a shell, Python and JSON write it. */
async function exampleOf({ at, task, signal }) {
  const { rows } = await get(at("/rows?waiting=false&limit=1"), signal);
  if (task.kind === "pictures") {
    return {
      shell: "--row picture.png",
      python: '["picture.png"]',
      json: '{"pictures": ["BASE64"]}',
    };
  }
  if (task.kind === "numbers") {
    const { numbers } = rows[0];
    const few = numbers.length <= MANY;
    return {
      shell: few ? `--row "${numbers}"` : "rows.csv",
      python: few ? JSON.stringify([numbers]) : `[[0.0] * ${numbers.length}]`,
      json: JSON.stringify({ numbers: [few ? numbers : ["..."]] }),
    };
  }
  const kept = rows[0]?.text;
  const text = kept && kept.length <= LONG && !UNSEEN.test(kept) ? kept : "some text";
  return {
    shell: `--row ${quoted(text)}`,
    python: JSON.stringify([text]),
    json: JSON.stringify({ texts: [text] }),
  };
}

/** A text as one word of a shell. */
const quoted = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

function command({ name, kind, encoder }, { shell }) {
  return `pip install ${needed(kind, encoder)}\nfaast predict ${name}.faast ${shell}`;
}

/** What the model needs to be installed: faast, and what its encoder is made of. */
function needed(kind, encoder) {
  if (encoder === null || encoder === "hashing") return "faast";
  if (encoder === "pixels") return "faast pillow";
  return kind === "texts" ? '"faast[text]"' : '"faast[image]"';
}

function relearn({ name, waiting }) {
  const unlabelled = waiting ? " --on-error skip" : "";
  return `faast learn ${name}.csv --output ${name}.faast${unlabelled}`;
}

function python({ name }, { python: row }) {
  return `import faast\n\nmodel = faast.load("${name}.faast")\nprint(model.predict(${row}))`;
}

function curl({ name }, { json }) {
  const token = hasToken() ? ' \\\n  -H "Authorization: Bearer YOUR_TOKEN"' : "";
  const content = '-H "Content-Type: application/json"';
  return `curl ${location.origin}/v1/tasks/${name}/ask${token} \\\n  ${content} \\\n  -d ${quoted(json)}`;
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
