// Try it: the label of a new row, how sure that is, and why.

import { post } from "../api.js";
import { button, field, make, name, percent, say } from "../dom.js";
import { camera } from "../parts/camera.js";
import { chooseClass } from "../parts/choose.js";
import { dropPlace } from "../parts/drop.js";
import { encoded, isPicture } from "../parts/files.js";
import { parseNumbers } from "../parts/numbers.js";
import { content } from "../parts/row.js";
import { ranked, shares } from "../parts/shares.js";
import { reasons } from "../parts/why.js";

export const title = "Try it";

const NOVEL = 0.05; // p-value below which a row is called unlike anything learned

export async function show(context) {
  const { task } = context;
  if (!task.rows) {
    return make(
      "div",
      { class: "card" },
      make("p", {}, "It has learned nothing yet. Teach it a few rows first."),
      make("a", { class: "button", href: `#/${task.name}/add` }, "Add rows"),
    );
  }
  const place = make("div", { class: "stack", "aria-live": "polite" });
  const ask = async (row) => place.replaceChildren(...(await answered(context, row, place)));
  return [
    make(
      "p",
      { class: "lead" },
      "Give it something new, and see what it says and why. Nothing is learned from it unless you teach it.",
    ),
    make(
      "div",
      { class: "stack" },
      task.kind === "pictures" ? pictureForm(ask, context.signal) : writtenForm(task, ask),
      place,
    ),
  ];
}

function writtenForm(task, ask) {
  const numbers = task.kind === "numbers";
  const area = make("textarea", {
    rows: numbers ? 2 : 3,
    required: true,
    dir: "auto",
    autofocus: true,
  });
  const form = make(
    "form",
    {
      class: "card stack",
      on: {
        submit: () => {
          const rows = numbers ? parseNumbers(area.value) : null;
          return ask(numbers ? { numbers: rows[0] } : { text: area.value });
        },
        keydown: (pressed) => {
          if (pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey)) form.requestSubmit();
        },
      },
    },
    field(numbers ? "A row of numbers" : "A text", area, "Ctrl + Enter asks too."),
    make("div", {}, make("button", { class: "primary" }, "Ask")),
  );
  return form;
}

function pictureForm(ask, signal) {
  return make(
    "div",
    { class: "card stack" },
    dropPlace({
      words: "Drop a picture.",
      accept: ".png,.jpg,.jpeg,.webp",
      multiple: false,
      take: async ([{ file }]) => {
        if (!isPicture(file))
          throw new Error(`${file.name} is no PNG, JPEG or WebP. Use one of these.`);
        await ask({ picture: await encoded(file) });
      },
    }),
    camera((picture) => ask({ picture }), signal),
  );
}

async function answered(context, row, place) {
  const answer = await post(context.at("/explain"), row);
  const novel = answer.novelty_p_value !== null && answer.novelty_p_value < NOVEL;
  const why = reasons(row, answer);
  return [
    make(
      "section",
      { class: "card stack", "aria-labelledby": "answer" },
      make(
        "div",
        { class: "line spread" },
        make("h2", { class: "verdict", id: "answer" }, name(answer.label)),
        novel
          ? make("span", { class: "badge wrong" }, "Unlike anything learned")
          : make("span", { class: "badge" }, "Like what it has learned"),
      ),
      make(
        "p",
        { class: "small" },
        novel
          ? "It has seen nothing like this, so do not rely on the answer. Teach it what this is."
          : `Of answers that are as sure as this one, about ${percent(answer.probability)} are right.`,
      ),
      shares(ranked(answer)),
      teaching(context, row, answer, place),
    ),
    why.length
      ? make(
          "section",
          { class: "card stack", "aria-labelledby": "why" },
          make("h2", { id: "why" }, "Why"),
          why,
        )
      : null,
    answer.rows?.length ? alike(context, answer) : null,
  ].filter(Boolean);
}

function teaching(context, row, answer, place) {
  const teach = async (label) => {
    await post(context.at("/rows"), { rows: [{ ...row, label }] });
    await context.refresh();
    place.replaceChildren(...(await answered(context, row, place)));
    say(`Taught: ${label}. This is what it says now.`);
  };
  return make(
    "div",
    { class: "line" },
    button("Right: teach it so", () => teach(answer.label)),
    button("Wrong: teach another label", async () => {
      const label = await chooseClass(context.task, "Which label is right?");
      if (label !== null) await teach(label);
    }),
  );
}

function alike({ signal }, answer) {
  return make(
    "section",
    { class: "card stack", "aria-labelledby": "alike" },
    make("h2", { id: "alike" }, "Learned rows most like it"),
    make(
      "ul",
      { class: "list" },
      answer.rows.map((row) =>
        make(
          "li",
          { class: "row" },
          content(row, "short", signal),
          make(
            "div",
            { class: "line" },
            make("span", { class: "badge on" }, name(row.label)),
            make("span", { class: "number small" }, `${percent(row.similarity)} alike`),
          ),
        ),
      ),
    ),
  );
}
