// The loop: the row most worth labelling, its label by one key, and how good the model is by now.

import { get, post, send } from "../api.js";
import {
  attempt,
  button,
  count,
  isWorking,
  level,
  make,
  name,
  oneAtATime,
  percent,
  present,
  say,
  working,
} from "../dom.js";
import { curve } from "../parts/chart.js";
import { chooseClass } from "../parts/choose.js";
import { called, content } from "../parts/row.js";
import { shares } from "../parts/shares.js";

export const title = "Label";

const KEYS = 9; // classes with a key of their own
const AHEAD = 5; // rows read ahead of the one on the page
const MOST = 50; // rows read at once
const AFTER = { waits: true }; // undo means the change that is being computed

export async function show(context) {
  const { at, signal, keys, refresh } = context;
  const question = make("section", {
    class: "card stack",
    "aria-labelledby": "offered",
    tabindex: "-1",
  });
  const beside = make("section", { class: "card stack", "aria-labelledby": "quality" });
  const once = oneAtATime();
  const skipped = new Set();
  let queue = []; // the rows to offer next, each {row, guess}
  let offered = null; // the one on the page
  let waiting = 0;
  let order = []; // classes as the keys have them: a new one goes last, so that no key changes
  let latest = 0; // number of the latest reading; older ones come too late
  let measuring = false;
  let outdated = false; // whether rows were labelled since the measuring began

  /** Read the rows most worth labelling, but for the one on the page and those skipped. */
  async function refill() {
    const reading = (latest += 1);
    const found = await get(at(`/next?n=${Math.min(skipped.size + AHEAD, MOST)}`), signal);
    if (reading !== latest) return;
    waiting = found.waiting;
    queue = found.rows.filter(({ row }) => !skipped.has(row.id) && row.id !== offered?.row.id);
    if (!queue.length && skipped.size && waiting && !offered) {
      skipped.clear();
      queue = found.rows;
    }
  }

  /** Show the next row at once, and meanwhile choose the ones after it anew. */
  async function next() {
    offered = null;
    if (!queue.length) {
      working(question);
      await refill();
    }
    offered = queue.shift() ?? null;
    present(question, offered ? asked() : nothing());
    if (offered) attempt(refill);
  }

  function nothing() {
    const { rows, name: task } = context.task;
    return [
      make(
        "h2",
        { id: "offered" },
        rows ? "Every row has a label" : "There is nothing to label yet",
      ),
      make(
        "p",
        {},
        rows
          ? "Add more rows, try it, or look at rows whose label is in doubt."
          : "Add rows first: type them, paste them, or drop a file.",
      ),
      make(
        "div",
        { class: "line" },
        make("a", { class: "button", href: `#/${task}/add` }, "Add rows"),
        rows ? make("a", { class: "button", href: `#/${task}/try` }, "Try it") : null,
        rows ? make("a", { class: "button", href: `#/${task}/suspects` }, "Check labels") : null,
        rows ? undoButton() : null,
      ),
    ];
  }

  function ordered() {
    const classes = Object.keys(context.task.classes);
    const before = order.filter((label) => classes.includes(label));
    order = [...before, ...classes.filter((label) => !before.includes(label))];
  }

  function asked() {
    const { row, guess } = offered;
    ordered();
    const probabilities = guess?.probabilities ?? {};
    return [
      make(
        "div",
        { class: "line spread small" },
        make(
          "span",
          {},
          `${count(waiting, "row waits", "rows wait")} for a label. This one tells the most.`,
        ),
        row.source ? make("span", {}, "from ", name(row.source)) : null,
      ),
      make("div", { id: "offered" }, content(row, "large", signal)),
      guess
        ? make(
            "p",
            { class: "small" },
            "Its guess: ",
            make("strong", {}, name(guess.label)),
            `, ${percent(guess.probability)} sure.`,
          )
        : null,
      make(
        "div",
        { class: "answers", role: "group", "aria-label": "Its label" },
        order.map((label, position) =>
          answerButton(label, position, probabilities[label], label === guess?.label),
        ),
        button(
          ["0", "New class"].map((words, at) =>
            make(at ? "span" : "kbd", at ? {} : { "aria-hidden": "true" }, words),
          ),
          other,
          { class: "answer", "aria-keyshortcuts": "0 N" },
        ),
      ),
      make("div", { class: "line" }, keyed("Skip", "S", skip), undoButton()),
    ];
  }

  function answerButton(label, position, probability, guessed) {
    const key = position < KEYS ? String(position + 1) : null;
    return button(
      [
        key ? make("kbd", { "aria-hidden": "true" }, key) : make("span"),
        name(label),
        probability === undefined ? make("span") : make("small", {}, percent(probability)),
        probability === undefined ? null : level(probability),
      ],
      () => answer(label),
      { class: `answer${guessed ? " guessed" : ""}`, "aria-keyshortcuts": key },
    );
  }

  const undoButton = () => keyed("Undo", "U", undo);

  const answer = once(async (label, { row } = offered ?? {}) => {
    if (!row) return;
    const by = await change(async () => {
      const found = await others(row);
      if (found === null) await send("PATCH", at(`/rows/${row.id}`), { label });
      return found;
    });
    say(by ?? `${called(row)} is ${label}.`);
  });

  /** Change the task and show the next row; if that fails, show the same one again. */
  async function change(action) {
    const before = offered;
    working(question);
    try {
      const result = await action();
      await changed();
      return result;
    } catch (error) {
      offered = before;
      present(question, offered ? asked() : nothing());
      throw error;
    }
  }

  /** Say what somebody else has done with a row since it was offered; null if nothing. */
  async function others({ id }) {
    try {
      const { label } = await get(at(`/rows/${id}`), signal);
      return label === null
        ? null
        : `Somebody else has labelled it ${label} already. Here is the next row.`;
    } catch (error) {
      if (error.status !== 404) throw error;
      return "Somebody else has removed this row. Here is the next one.";
    }
  }

  /** The dialog opens at any time, so that what is typed into it is never taken for keys. */
  const other = async () => {
    const shown = () => (isWorking(question) ? null : offered);
    if (!offered && !isWorking(question)) return;
    let label = null;
    let meant;
    do {
      meant = shown();
      const asked = label === null ? "Which class is it?" : "This row has just come: its class?";
      label = await chooseClass(context.task, asked, label);
    } while (label !== null && (!meant || meant !== shown()) && (offered || isWorking(question)));
    if (label !== null && meant) await answer(label, meant);
  };

  const skip = once(async () => {
    if (!offered) return;
    skipped.add(offered.row.id);
    await next();
    say("Skipped. It comes again later.");
  });

  const undo = once(async () => {
    await change(async () => {
      await post(at("/undo"));
      queue = [];
    });
    say("The last change was taken back.");
  }, AFTER);

  async function changed() {
    await refresh();
    waiting = context.task.waiting;
    await next();
    attempt(measure);
  }

  /** Measure the accuracy, one time after the other: with many rows it takes longer than an answer. */
  async function measure() {
    outdated = true;
    if (measuring) return;
    measuring = true;
    try {
      while (outdated && !signal.aborted) {
        outdated = false;
        await quality(context, beside);
      }
    } finally {
      measuring = false;
    }
  }

  keys({
    ...Object.fromEntries(
      Array.from({ length: KEYS }, (_, position) => [
        String(position + 1),
        () => {
          const label = order[position];
          return label === undefined ? undefined : answer(label);
        },
      ]),
    ),
    0: other,
    n: other,
    s: skip,
    u: undo,
  });
  await next();
  attempt(measure);
  return make("div", { class: "two" }, question, beside);
}

/** A button with the key that does the same. */
export function keyed(words, key, action, attributes = {}) {
  return button([make("kbd", { "aria-hidden": "true" }, key), make("span", {}, words)], action, {
    "aria-keyshortcuts": key,
    ...attributes,
  });
}

/** Show how many new rows the model would label right, and how that has grown. */
async function quality({ at, task, signal }, place) {
  const heading = make("h2", { id: "quality" }, "How good it is");
  if (!task.rows) {
    place.replaceChildren(
      heading,
      make(
        "p",
        { class: "small" },
        "Label the first rows, and you see here how many new ones it would get right.",
      ),
    );
    return;
  }
  let measured, points;
  try {
    measured = await get(at("/evaluation"), signal);
    ({ points } = await get(at("/evaluation/curve"), signal));
  } catch (error) {
    if (error.status !== 409) throw error;
    place.replaceChildren(heading, make("p", { class: "small" }, error.message));
    return;
  }
  const [low, high] = measured.interval.map((share) => percent(share));
  const own = Object.entries(measured.classes);
  place.replaceChildren(
    heading,
    make("p", { class: "figure" }, percent(measured.accuracy)),
    make(
      "p",
      { class: "small" },
      `${measured.right} of ${count(measured.rows, "row")} get the right label when asked as if never taught. For new rows expect ${low} to ${high}.`,
    ),
    ...(points.length > 1 ? [curve(points)] : []),
    make("h3", {}, "By class"),
    shares(
      own
        .slice(0, 8)
        .map(([label, { rows, right }]) => [label, right / rows, `${right} of ${rows}`]),
    ),
    make("p", {}, make("a", { href: `#/${task.name}/accuracy` }, "More about its accuracy")),
  );
}
