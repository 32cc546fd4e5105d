// Rows whose label the others contradict: one key corrects a label or keeps it.

import { get, post, send } from "../api.js";
import { count, isWorking, make, name, oneAtATime, percent, present, say, working } from "../dom.js";
import { chooseClass } from "../parts/choose.js";
import { called, content, fromFile, onlyFile } from "../parts/row.js";
import { keyed } from "./label.js";

export const title = "Check labels";

const AT_ONCE = 50;

export async function show(context) {
  const { at, task, signal, keys, refresh } = context;
  if (await onlyFile(context)) return fromFile(task);
  const place = make("section", {
    class: "card stack",
    "aria-labelledby": "doubted",
    tabindex: "-1",
  });
  const lead = make("p", { class: "lead" });
  const once = oneAtATime();
  let waiting = [];
  let passed = 0; // suspects of the list that were passed over

  async function read() {
    const found = task.rows
      ? await get(at(`/suspects?limit=${AT_ONCE}`), signal)
      : { suspects: [], estimated_wrong: 0 };
    waiting = found.suspects;
    passed = Math.min(passed, waiting.length);
    lead.textContent = waiting.length
      ? `The other rows contradict these labels. About ${count(Math.round(found.estimated_wrong), "label")} of ${count(context.task.rows, "row")} may be wrong.`
      : "Each label is compared with what all the other rows say.";
    display();
  }

  function display() {
    const suspect = waiting[passed];
    present(place, suspect ? doubt(suspect) : nothing());
  }

  function nothing() {
    return [
      make("h2", { id: "doubted" }, passed ? "You have seen them all" : "No label is in doubt"),
      make(
        "p",
        {},
        passed
          ? "Those that you skipped are still in doubt."
          : "The rows agree about each other's labels, as far as they can tell.",
      ),
      make(
        "div",
        { class: "line" },
        passed ? keyed("Start again", "S", skip) : null,
        make("a", { class: "button", href: `#/${task.name}/label` }, "Label more rows"),
        undoButton(),
      ),
    ];
  }

  function doubt({ row, suggested, probability, probability_of_suggested: other }) {
    return [
      make(
        "p",
        { class: "small" },
        `${passed + 1} of ${waiting.length}`,
        row.source ? [" · from ", name(row.source)] : null,
      ),
      make("div", { id: "doubted" }, content(row, "large", signal)),
      make(
        "p",
        {},
        "It is labelled ",
        make("strong", {}, name(row.label)),
        `, which the others give ${percent(probability)}. They say `,
        make("strong", {}, name(suggested)),
        ` with ${percent(other)}.`,
      ),
      make(
        "div",
        { class: "line" },
        keyed(["Correct to ", name(suggested)], "C", correct, { class: "primary" }),
        keyed(["Keep ", name(row.label)], "K", keep),
        keyed("Another label", "N", another),
        keyed("Skip", "S", skip, { class: "quiet" }),
        undoButton(),
      ),
    ];
  }

  const undoButton = () => keyed("Undo", "U", undo, { class: "quiet" });

  const relabel = once(async (label) => {
    const { row } = waiting[passed];
    await change(() => send("PATCH", at(`/rows/${row.id}`), { label }));
    say(`${called(row)} is ${label} now.`);
  });

  /** Change the task and show what is in doubt then; if that fails, show the same row again. */
  async function change(action) {
    working(place);
    try {
      await action();
      await refresh();
      await read();
    } catch (error) {
      display();
      throw error;
    }
  }

  const correct = async () => waiting[passed] && relabel(waiting[passed].suggested);

  const another = async () => {
    const shown = () => (isWorking(place) ? null : waiting[passed]);
    if (!waiting[passed] && !isWorking(place)) return;
    let label = null;
    let meant;
    do {
      meant = shown();
      const asked = label === null ? "Which label is right?" : "This row has just come: its label?";
      label = await chooseClass(context.task, asked, label);
    } while (label !== null && (!meant || meant !== shown()) && (waiting[passed] || isWorking(place)));
    if (label !== null && meant) await relabel(label);
  };

  const keep = once(async () => {
    if (!waiting[passed]) return;
    const { row } = waiting[passed];
    await change(() => post(at(`/rows/${row.id}/confirm`)));
    say(`${called(row)} stays ${row.label}, and is not doubted again.`);
  });

  const skip = once(async () => {
    passed = passed < waiting.length ? passed + 1 : 0;
    display();
  });

  const undo = once(async () => {
    await change(() => post(at("/undo")));
    say("The last change was taken back.");
  }, { waits: true });

  keys({ c: correct, k: keep, n: another, s: skip, u: undo });
  await read();
  return [lead, place];
}
