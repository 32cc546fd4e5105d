// The frame: which view is shown, the menu, the token, and whether the server answers.

import { get, pathOf, whenRefused } from "./api.js";
import { askIn, attempt, field, make, name, onKeys, quiet, say } from "./dom.js";
import * as accuracy from "./views/accuracy.js";
import * as add from "./views/add.js";
import * as classes from "./views/classes.js";
import * as history from "./views/history.js";
import * as label from "./views/label.js";
import * as people from "./views/people.js";
import * as rows from "./views/rows.js";
import * as suspects from "./views/suspects.js";
import * as take from "./views/take.js";
import * as tasks from "./views/tasks.js";
import * as tryIt from "./views/try.js";

const MENU = {
  Teach: { add, label, suspects },
  Ask: { try: tryIt, accuracy },
  Manage: { rows, classes, people, history, take },
};
const VIEWS = Object.assign({}, ...Object.values(MENU));
const ASK_EVERY = 4_000; // milliseconds between two looks at what others have changed

const $ = (id) => document.getElementById(id);
let shown = new AbortController(); // aborted when another view is shown
let passed = {}; // the place that was shown last
let known = null; // the task as it was last read
let client = null; // the name and scope of the token

/** The groups of views that the token allows. */
const allowed = () => (client?.scope === "ask" ? { Ask: MENU.Ask } : MENU);

/** Return the task, the view and the parameters that the address names. */
function place() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [task, view = client?.scope === "ask" ? "try" : "label"] = path.split("/");
  return { task: task || null, view, parameters: new URLSearchParams(query) };
}

const moduleOf = (task, view) => (task ? (VIEWS[view] ?? label) : tasks);

async function show() {
  shown.abort();
  if (place().task !== passed.task || place().view !== passed.view) quiet();
  passed = place();
  shown = new AbortController();
  const { signal } = shown;
  let { task, view, parameters } = place();
  $("main").setAttribute("aria-busy", "true");
  known = null;
  try {
    if (!client) {
      client = await get("/v1/whoami", signal);
      ({ view } = place()); // the first view depends on the token
    }
    const { scope } = client;
    const context = task ? await taskContext(task, parameters, signal) : { signal, go, scope };
    const content = await moduleOf(task, view).show(context);
    if (!signal.aborted) display(moduleOf(task, view).title, task, view, content);
  } catch (error) {
    if (signal.aborted) return;
    // 409: the task is not that far yet, which is no failure
    display(error.status === 409 ? moduleOf(task, view).title : "That did not work", task, view, [
      make("p", {}, error.message),
      make("p", {}, make("a", { href: "#/" }, "All tasks")),
    ]);
  } finally {
    if (!signal.aborted) $("main").removeAttribute("aria-busy");
  }
}

/** What a view gets: the task as it is, its paths, keys, and ways to say that it has changed. */
async function taskContext(task, parameters, signal) {
  const at = pathOf(task);
  const context = { at, parameters, signal, go, again: show };
  context.keys = (bindings) => onKeys(bindings, signal);
  context.refresh = async () => {
    context.task = known = await get(at(), signal);
    $("changed").hidden = true;
    if (place().task === task) menu(known);
    return known;
  };
  await context.refresh();
  return context;
}

function display(title, task, view, content) {
  const heading = make("h1", { tabindex: "-1" }, title);
  $("main").replaceChildren(heading, ...[content].flat(Infinity).filter(Boolean));
  document.title = task ? `${title} – ${task} – faast` : `${title} – faast`;
  $("where").textContent = task ?? "";
  $("changed").hidden = true;
  if (!known) $("nav").hidden = $("menu").hidden = true;
  closeMenu();
  for (const link of $("nav").querySelectorAll("a")) {
    link.toggleAttribute("aria-current", false);
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
  }
  if (!heading.parentElement.querySelector("[autofocus]")) heading.focus({ preventScroll: true });
  else heading.parentElement.querySelector("[autofocus]").focus();
  window.scrollTo(0, 0);
}

/** Show the menu of a task with its numbers of rows. */
function menu(task) {
  const numbers = {
    label: task.waiting,
    rows: task.rows,
    classes: Object.keys(task.classes).length,
  };
  const current = place().view;
  const link = ([view, module]) =>
    make(
      "li",
      {},
      make(
        "a",
        {
          href: `#/${task.name}/${view}`,
          "data-view": view,
          "aria-current": view === current ? "page" : null,
        },
        module.title,
        numbers[view] ? make("span", { class: "badge" }, numbers[view].toLocaleString("en")) : null,
      ),
    );
  $("nav").replaceChildren(
    make("a", { href: "#/" }, "All tasks"),
    ...Object.entries(allowed()).flatMap(([group, views]) => [
      make("h2", {}, group),
      make("ul", {}, Object.entries(views).map(link)),
    ]),
    client.name
      ? make("p", {}, "Your token: ", name(client.name), `, which may ${client.scope}`)
      : "",
  );
  $("nav").hidden = $("menu").hidden = false;
}

function closeMenu() {
  $("nav").classList.remove("open");
  $("menu").setAttribute("aria-expanded", "false");
}

function go(task, view, parameters = {}) {
  const query = new URLSearchParams(parameters).toString();
  location.hash = task ? `#/${task}/${view}${query ? `?${query}` : ""}` : "#/";
}

/** See whether somebody else has changed the task, and whether the server answers again. */
async function look() {
  if (!document.hidden) {
    const before = known;
    try {
      if (before) {
        const now = await get(pathOf(before.name)());
        if (known === before && JSON.stringify(now) !== JSON.stringify(before))
          $("changed").hidden = false;
      } else if (!$("gone").hidden) {
        await get("/v1/tasks");
        await show();
      }
    } catch {
      // the notice says that the server is gone; other errors show where they matter
    }
  }
  setTimeout(look, ASK_EVERY);
}

let asking = null;

whenRefused((wasWrong) => {
  asking ??= askIn({
    title: wasWrong ? "This token is not accepted" : "This server asks for a token",
    body: [
      make(
        "p",
        {},
        "Whoever runs the server makes one with the command ",
        make("code", {}, "faast serve token create NAME --scope teach"),
        ", and adds ",
        make("code", {}, "--folder FOLDER"),
        " if the tasks are in another folder than ",
        make("code", {}, "tasks"),
        ".",
      ),
      field(
        "Token",
        make("input", { name: "token", required: true, type: "password", autocomplete: "off" }),
      ),
    ],
    agree: "Use it",
  }).then((given) => {
    asking = null;
    if (!given)
      throw new Error(
        "Without a token the server shows nothing. Load the page again to enter one.",
      );
    return given.token.trim();
  });
  return asking;
});

window.addEventListener("server", ({ detail: answers }) => {
  if ($("gone").hidden === answers) return;
  $("gone").textContent = answers
    ? ""
    : "The server does not answer. Is faast serve still running? Nothing that it has acknowledged is lost; this page goes on as soon as it answers.";
  $("gone").hidden = answers;
  if (answers) say("The server answers again.");
});

window.addEventListener("hashchange", show);
$("latest").addEventListener("click", show);
$("skip").addEventListener("click", (happened) => {
  happened.preventDefault();
  $("main").focus();
});
$("menu").addEventListener("click", () => {
  const open = $("nav").classList.toggle("open");
  $("menu").setAttribute("aria-expanded", String(open));
});

attempt(show).then(() => setTimeout(look, ASK_EVERY));
