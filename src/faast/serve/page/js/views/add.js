// Give rows: type or paste them, drop files, or use the camera.

import { get, post, upload } from "../api.js";
import { button, count, field, make, say } from "../dom.js";
import { camera } from "../parts/camera.js";
import { classInput } from "../parts/choose.js";
import { dropPlace } from "../parts/drop.js";
import { encoded, formatOf, isPicture } from "../parts/files.js";
import { follow } from "../parts/jobs.js";
import { parseNumbers } from "../parts/numbers.js";

export const title = "Add rows";

const AT_ONCE = 500; // texts in one request
const PICTURES_AT_ONCE = 16;

export async function show(context) {
  const { task, signal } = context;
  const jobs = make("div", { class: "stack", id: "jobs" });
  const source = make("input", {
    name: "source",
    maxlength: 200,
    autocomplete: "off",
    dir: "auto",
  });
  const label = classInput(task);
  const about = () => ({ label: label.value.trim() || null, source: source.value.trim() || null });
  const given = { ...context, jobs, about };
  const running = (await get("/v1/jobs", signal)).jobs.filter(
    (job) => job.task === task.name && ["waiting", "running"].includes(job.status),
  );
  jobs.append(...running.map((job) => follow(job, signal, () => ended(given))));
  return [
    make(
      "p",
      { class: "lead" },
      "Rows with a label are learned at once. Rows without one wait, and ",
      make("a", { href: `#/${task.name}/label` }, "Label"),
      " asks you about the most telling of them first.",
    ),
    make(
      "div",
      { class: "stack" },
      make(
        "section",
        { class: "card stack", "aria-labelledby": "about" },
        make("h2", { id: "about" }, "About the rows that you add"),
        make(
          "div",
          { class: "tiles" },
          field(
            "Their label (optional)",
            label,
            "Leave it empty if they are of several classes. A table brings its own labels.",
          ),
          field(
            "Who they are from (optional)",
            source,
            "A person or a file. Everything from there can be forgotten later.",
          ),
        ),
      ),
      jobs,
      task.kind === "pictures" ? pictures(given) : written(given),
      task.kind === "pictures" ? null : tables(given),
    ),
  ];
}

/** Rows as people type or paste them: a text a line, or numbers a line. */
function written(given) {
  const numbers = given.task.kind === "numbers";
  const area = make("textarea", { rows: 6, required: true, dir: "auto", autofocus: true });
  const split = make("input", { type: "checkbox", checked: true });
  const rowsOf = () => {
    if (numbers) return parseNumbers(area.value).map((row) => ({ numbers: row }));
    const texts = split.checked ? area.value.split(/\r?\n/) : [area.value];
    return texts.filter((text) => text.trim()).map((text) => ({ text }));
  };
  const form = make(
    "form",
    {
      class: "card stack",
      "aria-labelledby": "written",
      on: {
        submit: async () => {
          await give(given, rowsOf());
          area.value = "";
          area.focus();
        },
        keydown: (pressed) => {
          if (pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey)) form.requestSubmit();
        },
      },
    },
    make("h2", { id: "written" }, "Type or paste"),
    field(
      numbers ? "Numbers, one row a line" : "Texts",
      area,
      numbers
        ? "Separated by commas, spaces or tabs, the same number of them in each line."
        : "Ctrl + Enter adds them too.",
    ),
    numbers
      ? null
      : make(
          "label",
          { class: "choice" },
          split,
          make("span", {}, "Each line is a row of its own"),
        ),
    make("div", {}, make("button", { class: "primary" }, "Add")),
  );
  return form;
}

function tables(given) {
  const columns =
    given.task.kind === "numbers"
      ? "Drop a CSV or JSON Lines file of numbers; a column named label holds the labels, if there are any."
      : "Drop a CSV or JSON Lines file with a column text, and a column label if the labels are known.";
  return make(
    "section",
    { class: "card stack", "aria-labelledby": "files" },
    make("h2", { id: "files" }, "From a file"),
    dropPlace({
      words: columns,
      accept: ".csv,.jsonl",
      take: async (found) => {
        for (const { file } of found) await send(given, file);
      },
    }),
  );
}

function pictures(given) {
  const byFolder = make("input", { type: "checkbox", checked: true });
  const take = async (found) => {
    for (const { file } of found.filter(({ file }) => formatOf(file))) await send(given, file);
    const images = found.filter(({ file }) => isPicture(file));
    if (!images.length) {
      if (!found.some(({ file }) => formatOf(file)))
        throw new Error("There is no picture among these files. Use PNG, JPEG or WebP.");
      return;
    }
    const labelOf = (folder) => given.about().label ?? (byFolder.checked ? folder : null);
    await give(
      given,
      images.map(({ file, folder }) => async () => ({
        picture: await encoded(file),
        label: labelOf(folder),
      })),
    );
  };
  return [
    make(
      "section",
      { class: "card stack", "aria-labelledby": "files" },
      make("h2", { id: "files" }, "From files"),
      dropPlace({
        words: "Drop pictures, a folder of them, or a .zip.",
        accept: ".png,.jpg,.jpeg,.webp,.zip",
        take,
        folders: true,
      }),
      make(
        "label",
        { class: "choice" },
        byFolder,
        make("span", {}, "The folder that a picture lies in is its label"),
      ),
    ),
    make(
      "section",
      { class: "card stack", "aria-labelledby": "camera" },
      make("h2", { id: "camera" }, "From the camera"),
      make(
        "p",
        { class: "small" },
        "Write the label above first to show one class after the other.",
      ),
      camera(async (picture) => {
        await give(given, [{ picture }]);
      }, given.signal),
    ),
  ];
}

/** Send rows in several requests, with their progress and a button that stops it. */
async function give(given, rows) {
  if (!rows.length) throw new Error("There is nothing to add yet. Write something first.");
  const { at, signal, refresh } = given;
  const { label, source } = given.about();
  const size = typeof rows[0] === "function" ? PICTURES_AT_ONCE : AT_ONCE;
  const progress = sending(given, rows.length > size ? rows.length : 0);
  let sent = 0;
  try {
    for (
      ;
      sent < rows.length && !progress.stopped() && !signal.aborted;
      sent = Math.min(sent + size, rows.length)
    ) {
      const some = rows.slice(sent, sent + size);
      const ready = await Promise.all(some.map((row) => (typeof row === "function" ? row() : row)));
      await post(at("/rows"), { rows: ready.map((row) => ({ label, source, ...row })) });
      progress.show(Math.min(sent + size, rows.length));
    }
  } finally {
    progress.remove();
  }
  const { waiting } = await refresh();
  say(
    `${count(sent, "row")} added.${waiting ? ` ${count(waiting, "row waits", "rows wait")} for a label.` : ""}`,
  );
}

function sending({ jobs }, total) {
  let stopped = false;
  if (!total) return { show() {}, remove() {}, stopped: () => false };
  const bar = make("progress", { max: total, value: 0, "aria-label": "Progress" });
  const words = make("p", { role: "status" }, "Sending …");
  const stop = button("Stop", () => {
    stopped = true;
  });
  const place = make("div", { class: "card stack close" }, words, bar, make("div", {}, stop));
  jobs.append(place);
  return {
    show: (done) => {
      bar.value = done;
      words.textContent = `${done.toLocaleString("en")} of ${count(total, "row")} sent …`;
    },
    remove: () => place.remove(),
    stopped: () => stopped,
  };
}

/** Send a file, which the server reads as a job. */
async function send(given, file) {
  const { at, jobs, signal, about } = given;
  const format = formatOf(file);
  if (!format)
    throw new Error(`${file.name} is none of .csv, .jsonl and .zip. Save it as one of these.`);
  const query = new URLSearchParams({ format });
  const { source } = about();
  if (source) query.set("source", source);
  const job = await upload(at(`/uploads?${query}`), file);
  jobs.append(follow(job, signal, () => ended(given)));
}

async function ended({ refresh, signal }) {
  if (!signal.aborted) await refresh();
}
