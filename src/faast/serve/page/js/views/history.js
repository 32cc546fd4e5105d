// The history: who changed what and when, and taking changes back.

import { get, post } from "../api.js";
import { button, count, make, name, oneAtATime, say } from "../dom.js";
import { keyed } from "./label.js";

export const title = "History";

const AT_ONCE = 50;

const KINDS = {
  start: "Started",
  add: "Rows added",
  teach: "Rows taught",
  label: "Labelled",
  correct: "Corrected",
  confirm: "Label checked",
  forget: "Forgotten",
  "forget source": "A person forgotten for good",
  "add class": "Class added",
  "rename class": "Class renamed",
  "merge classes": "Classes merged",
  "forget class": "Class forgotten",
  "keep rows": "Rows are kept from here on",
  "drop rows": "Rows are no longer kept",
  undo: "Taken back: change",
};

const when = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

export async function show(context) {
  const { at, signal, keys, again } = context;
  const list = make("ol", { class: "list", reversed: true, "aria-label": "Changes" });
  const undoing = keyed("Undo the last change", "U", () => undo());
  const reason = make("p", { class: "small", hidden: true });
  const undone = new Set(); // positions of changes that were taken back
  let toUndo = null; // the latest change that was not
  const more = button("Earlier changes", () => read());
  const once = oneAtATime();
  let before = null;

  async function read() {
    const query = new URLSearchParams({ limit: AT_ONCE, ...(before === null ? {} : { before }) });
    const { changes, next } = await get(at(`/history?${query}`), signal);
    list.append(...changes.map(line));
    before = next;
    changes.filter(({ undoes }) => undoes !== null).forEach(({ undoes }) => undone.add(undoes));
    toUndo ??= changes.find(({ position, undoes }) => undoes === null && !undone.has(position));
    const end = toUndo && !toUndo.undoable;
    undoing.disabled = Boolean(end);
    reason.hidden = !end;
    if (end) {
      reason.textContent =
        toUndo.kind === "start"
          ? "There is no change to take back."
          : `Change ${toUndo.position} (${KINDS[toUndo.kind] ?? toUndo.kind}) cannot be taken back, so neither can those before it.`;
    }
    more.hidden = next === null;
  }

  const undo = once(async () => {
    if (undoing.disabled) throw new Error(reason.textContent);
    await post(at("/undo"));
    await again();
    say("The last change was taken back.");
  });

  keys({ u: undo });
  await read();
  return [
    make(
      "p",
      { class: "lead" },
      "Every change, the latest first. Undo takes the latest back exactly: the model is then what it was before, to the last bit.",
    ),
    make(
      "div",
      { class: "stack" },
      make("div", { class: "line" }, undoing, reason),
      make("div", { class: "card" }, list),
      make("div", {}, more),
    ),
  ];
}

function line({ position, kind, n_rows: rows, undoes, who, at }) {
  return make(
    "li",
    { class: "row" },
    make(
      "div",
      {},
      make(
        "strong",
        {},
        `${position}. ${KINDS[kind] ?? kind}`,
        undoes === null ? "" : ` ${undoes}`,
      ),
      make("br"),
      make(
        "small",
        {},
        rows ? count(rows, "row") : null,
        who ? [rows ? " · " : null, "by ", name(who)] : null,
      ),
    ),
    make("time", { class: "small", datetime: at }, when.format(new Date(at))),
  );
}
