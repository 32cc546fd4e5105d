// The page: asks the routes under /v1/tasks and shows what they answer. Texts and labels are only
// ever set as text, never as HTML.

const PAGE = 50;
const $ = (id) => document.getElementById(id);
let task = null;
let asked = null; // the text that the answer on the page belongs to
let next = null; // where the next page of rows starts

/** Send a request; throw an Error that says what to do if it fails. */
async function send(method, path, content) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: content === undefined ? {} : { "Content-Type": "application/json" },
      body: content === undefined ? undefined : JSON.stringify(content),
    });
  } catch {
    throw new Error("The server does not answer. Is faast serve still running?");
  }
  const body = answer.status === 204 ? null : await answer.json();
  if (!answer.ok) throw new Error(body.detail);
  return body;
}

const at = (rest = "") => `/v1/tasks/${encodeURIComponent(task)}${rest}`;

function say(message, wrong = false) {
  $("status").textContent = message;
  $("status").classList.toggle("wrong", wrong);
}

/** Make a handler of an event that shows errors. */
function handle(element, event, action) {
  element.addEventListener(event, async (happened) => {
    happened.preventDefault();
    try {
      await action(happened);
    } catch (error) {
      say(error.message, true);
    }
  });
}

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

async function listTasks(chosen) {
  const { tasks } = await send("GET", "/v1/tasks");
  $("task").replaceChildren(...tasks.map(({ name }) => make("option", { value: name }, name)));
  $("new").open = tasks.length === 0;
  if (tasks.length === 0) return say("Make a task: give it a name, such as mail.");
  $("task").value = chosen ?? tasks[0].name;
  await open();
}

async function open() {
  task = $("task").value;
  asked = null;
  $("answer").hidden = $("teach").hidden = $("certificate").hidden = true;
  $("work").hidden = false;
  $("model").href = at("/model");
  await refresh();
}

/** Show the facts of the task and its first rows anew. */
async function refresh() {
  const { rows, classes } = await send("GET", at());
  const names = Object.keys(classes);
  $("facts").textContent = rows
    ? `${rows} rows in ${names.length} classes: ${names.map((n) => `${n} (${classes[n]})`).join(", ")}.`
    : "Nothing yet. Type a text, and teach its label.";
  $("classes").replaceChildren(...names.map((value) => make("option", { value })));
  $("model").hidden = $("measure").hidden = !rows;
  const sources = Object.entries(await send("GET", at("/sources")));
  $("person").replaceChildren(
    ...sources.map(([value, n]) => make("option", { value }, `${value} (${n} rows)`)),
  );
  $("people").hidden = !sources.length && $("certificate").hidden;
  $("rows").replaceChildren();
  next = 0;
  await showMore();
  return rows;
}

async function showMore() {
  const page = await send("GET", at(`/rows?limit=${PAGE}&after=${next}`));
  $("rows").append(...page.rows.map(showRow));
  next = page.next;
  $("more").hidden = next === null;
}

function showRow(row) {
  const label = make("input", { value: row.label, required: true, maxLength: 200 });
  label.setAttribute("list", "classes");
  label.setAttribute("aria-label", `Label of: ${row.text}`);
  const forget = make("button", { type: "button" }, "Forget");
  forget.setAttribute("aria-label", `Forget: ${row.text}`);
  const correct = make("form", {}, label, make("button", {}, "Correct"), forget);
  handle(correct, "submit", async () => {
    await send("PATCH", at(`/rows/${row.id}`), { label: label.value });
    await changed(`Corrected to ${label.value}.`);
  });
  handle(forget, "click", async () => {
    await send("DELETE", at(`/rows/${row.id}`));
    await changed("Forgotten, as if it had never been taught. Undo brings it back.");
  });
  const source = row.source === null ? "" : make("small", {}, `from ${row.source}`);
  return make("li", {}, make("span", {}, row.text), source, correct);
}

/** Show a change that was acknowledged, and the answer that it gives now. */
async function changed(message) {
  const rows = await refresh();
  if (asked !== null && rows) await ask();
  else $("answer").hidden = true;
  say(message);
}

async function ask() {
  const { answers } = await send("POST", at("/ask"), { texts: [asked] });
  const { label, probabilities } = answers[0];
  $("label").textContent = label;
  const sorted = Object.entries(probabilities).sort((a, b) => b[1] - a[1]).slice(0, 5);
  $("probabilities").replaceChildren(...sorted.map(([name, value]) => {
    const share = `${(100 * value).toFixed(1)}%`;
    const meter = make("meter", { value, max: 1 }, share);
    meter.setAttribute("aria-hidden", "true");
    return make("li", {}, `${name}: ${share}`, meter);
  }));
  $("answer").hidden = false;
  return label;
}

handle($("create"), "submit", async () => {
  const { name } = await send("POST", "/v1/tasks", { name: $("name").value });
  $("name").value = "";
  await listTasks(name);
  say(`The task ${name} is ready. Type a text, and teach its label.`);
  $("text").focus();
});

handle($("task"), "change", open);

handle($("ask"), "submit", async () => {
  asked = $("text").value;
  $("teach").hidden = false;
  $("right").value = "";
  const { rows } = await send("GET", at());
  if (rows) {
    $("right").value = await ask();
    say("Is that right? Teach it as it is, or write the right label first.");
  } else {
    say("It knows nothing yet. Write the right label, and teach it.");
  }
  $("right").focus();
  $("right").select();
});

$("text").addEventListener("keydown", (pressed) => {
  if (pressed.key === "Enter" && (pressed.ctrlKey || pressed.metaKey)) {
    pressed.preventDefault();
    $("ask").requestSubmit();
  }
});

handle($("teach"), "submit", async () => {
  const source = $("source").value || null;
  const label = $("right").value;
  await send("POST", at("/rows"), { rows: [{ text: asked, label, source }] });
  await changed(`Taught: ${label}. Type the next text.`);
  $("teach").hidden = true;
  $("text").focus();
  $("text").select();
});

handle($("undo"), "click", async () => {
  await send("POST", at("/undo"));
  await changed("The last change was taken back.");
});

handle($("measure"), "click", async () => {
  const { rows, right, interval } = await send("GET", at("/evaluation"));
  const [low, high] = interval.map((share) => `${(100 * share).toFixed(0)}%`);
  say(
    `${right} of ${rows} rows get the right label when each is asked before it is learned; ` +
      `for new texts expect ${low} to ${high}.`,
  );
});

handle($("forget"), "submit", async () => {
  const source = $("person").value;
  if (!confirm(`Forget all rows of ${source}? This cannot be undone.`)) return;
  const certificate = await send("POST", at("/forget-source"), { source });
  const content = encodeURIComponent(JSON.stringify(certificate, null, 2));
  Object.assign($("certificate"), {
    href: `data:application/json,${content}`,
    download: `${task}-certificate.json`,
    hidden: false,
  });
  await changed(`${certificate.rows_forgotten} rows are forgotten for good.`);
});

handle($("more"), "click", showMore);

listTasks().catch((error) => say(error.message, true));
