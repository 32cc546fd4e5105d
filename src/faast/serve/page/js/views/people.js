// People: forget all that came from one of them, with a certificate; and what the server keeps.

import { get, post, save, send } from "../api.js";
import { askIn, button, count, make, name, say } from "../dom.js";

export const title = "People and privacy";

export async function show(context) {
  const { at, signal } = context;
  const sources = Object.entries(await get(at("/sources"), signal));
  const certificate = make("section", {
    class: "card stack",
    "aria-labelledby": "certificate",
    tabindex: "-1",
    hidden: true,
  });
  const list = make(
    "ul",
    { class: "list" },
    sources.map((source) => person(context, source, certificate)),
  );
  return make(
    "div",
    { class: "stack" },
    make(
      "section",
      { class: "card stack", "aria-labelledby": "people" },
      make("h2", { id: "people" }, "Forget a person"),
      make(
        "p",
        { class: "small" },
        "The model becomes as if their rows had never been taught, and the rows are erased from the disk. A certificate says so.",
      ),
      sources.length ? list : make("p", {}, "No row says who it is from."),
    ),
    certificate,
    keeping(context),
    deleting(context),
  );
}

function person(context, [source, rows], place) {
  const { at, task, refresh } = context;
  const line = make(
    "li",
    { class: "row" },
    make(
      "div",
      {},
      make("a", { href: `#/${task.name}/rows?${new URLSearchParams({ source })}` }, name(source)),
      make("br"),
      make("small", {}, count(rows, "row")),
    ),
    button(
      "Forget for good",
      async () => {
        const sure = await askIn({
          title: "Forget for good?",
          body: [
            make(
              "p",
              {},
              `All ${count(rows, "row")} from `,
              name(source),
              " are removed from the model and erased from the disk. This cannot be undone.",
            ),
          ],
          agree: "Forget for good",
          danger: true,
        });
        if (!sure) return;
        const proof = await post(at("/forget-source"), { source });
        line.remove();
        await refresh();
        showCertificate(place, proof, task.name);
        say(`${count(proof.rows_forgotten, "row")} forgotten for good.`);
      },
      { class: "danger", "aria-label": `Forget ${source} for good` },
    ),
  );
  return line;
}

function showCertificate(place, proof, task) {
  const fact = (words, value) =>
    make(
      "div",
      {},
      make("dt", { class: "small" }, words),
      make("dd", { class: "hash" }, String(value)),
    );
  place.replaceChildren(
    make("h2", { id: "certificate" }, "Certificate"),
    make(
      "dl",
      { class: "facts" },
      fact("When", proof.at),
      fact("Rows forgotten", proof.rows_forgotten),
      fact("Fingerprint of the model before", proof.state_before),
      fact("Fingerprint of the model after", proof.state_after),
    ),
    button("Download the certificate", () =>
      save(
        new Blob([JSON.stringify(proof, null, 2)], { type: "application/json" }),
        `${task}-certificate.json`,
      ),
    ),
  );
  place.hidden = false;
  place.focus();
}

function keeping({ at, task, again }) {
  if (task.kind === "numbers") return null; // they are what is learned, so they are always kept
  const turn = async (keep_rows) => {
    const sure =
      keep_rows ||
      (await askIn({
        title: "Stop keeping rows?",
        body: [
          make(
            "p",
            {},
            "What rows hold is erased from the server; their labels and what was computed from them stay, so the model does not change. It cannot be brought back.",
          ),
        ],
        agree: "Erase and stop",
        danger: true,
      }));
    if (!sure) return;
    await send("PATCH", at(), { keep_rows });
    await again();
    say(keep_rows ? "Rows are kept from now on." : "Rows are no longer kept.");
  };
  return make(
    "section",
    { class: "card stack", "aria-labelledby": "keeping" },
    make("h2", { id: "keeping" }, "What the server keeps"),
    make(
      "p",
      {},
      task.keep_rows
        ? "It keeps the rows as you gave them, so that you can see and correct them."
        : "It keeps labels and what was computed from rows, but not the rows themselves. They are shown by their number.",
    ),
    make(
      "div",
      {},
      task.keep_rows
        ? button("Stop keeping rows", () => turn(false))
        : button("Keep rows from now on", () => turn(true)),
    ),
  );
}

function deleting({ at, task, go }) {
  return make(
    "section",
    { class: "card stack", "aria-labelledby": "deleting" },
    make("h2", { id: "deleting" }, "Delete the task"),
    make(
      "p",
      { class: "small" },
      "The model, its rows and its history are deleted from the server.",
    ),
    make(
      "div",
      {},
      button(
        "Delete the task",
        async () => {
          const sure = await askIn({
            title: `Delete ${task.name}?`,
            body: [make("p", {}, "Model, rows and history go. This cannot be undone.")],
            agree: "Delete it",
            danger: true,
          });
          if (!sure) return;
          await send("DELETE", at());
          go(null);
          say(`${task.name} was deleted.`);
        },
        { class: "danger" },
      ),
    ),
  );
}
