// Elements, messages, dialogs and keys. Texts only ever become text nodes, never HTML.

const SVG = "http://www.w3.org/2000/svg";

function build(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "on") {
      for (const [event, action] of Object.entries(value)) listen(element, event, action);
    } else if (value !== false && value !== null && value !== undefined) {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(
    ...children
      .flat(Infinity)
      .filter((child) => child !== undefined && child !== null && child !== false),
  );
  return element;
}

/** Return an element; `on` holds its listeners, null children are left out. */
export function make(name, attributes = {}, ...children) {
  return build(document.createElement(name), attributes, children);
}

/** Return an element of a drawing. */
export function draw(name, attributes = {}, ...children) {
  return build(document.createElementNS(SVG, name), attributes, children);
}

/** Listen to an event; show what goes wrong, and keep the browser from its own reaction. */
export function listen(element, event, action) {
  element.addEventListener(event, (happened) => {
    if (event === "submit") happened.preventDefault();
    attempt(() => action(happened));
  });
}

/** Do something that may fail, and show why it did. */
export async function attempt(action) {
  try {
    return await action();
  } catch (error) {
    if (error.name !== "AbortError") say(error.message, true);
    return undefined;
  }
}

let hiding;

/** Show a message, which screen readers read out. */
export function say(message, wrong = false) {
  const toast = document.getElementById("toast");
  clearTimeout(hiding);
  toast.textContent = message;
  toast.classList.toggle("wrong", wrong);
  hiding = setTimeout(() => toast.replaceChildren(), wrong ? 15_000 : 6_000);
}

/** Take the message away: it was about what is no longer shown. */
export function quiet() {
  clearTimeout(hiding);
  document.getElementById("toast").replaceChildren();
}

export function button(text, action, attributes = {}) {
  return make("button", { type: "button", on: { click: action }, ...attributes }, text);
}

/** A label as people wrote it, kept apart from the direction of the words around it. */
export const name = (label) => make("bdi", {}, label);

export const percent = (share, digits = 0) => `${(100 * share).toFixed(digits)}%`;

const many = new Intl.NumberFormat("en");

/** A number with its noun: `1 row`, `1,200 rows`. */
export function count(number, one, several = `${one}s`) {
  return `${many.format(number)} ${number === 1 ? one : several}`;
}

/** Text that is short enough for a name or a list. */
export function brief(text, length = 60) {
  const letters = [...text];
  return letters.length > length ? `${letters.slice(0, length - 1).join("")}…` : text;
}

/** A bar that shows a share; its number stands beside it as text. */
export function level(share) {
  const filled = make("span", { class: "level" });
  filled.style.width = percent(share, 1);
  return make("span", { class: "level-line", "aria-hidden": "true" }, filled);
}

/** Show something else in a place and move the focus there, so that a screen reader reads it. */
export function present(place, children) {
  place.removeAttribute("aria-busy");
  place.replaceChildren(...children);
  place.focus({ preventScroll: true });
}

let numbered = 0;

/** A field with its label. */
export function field(text, control, hint = null) {
  control.id ||= `field-${(numbered += 1)}`;
  const parts = [make("label", { for: control.id }, text), control];
  if (hint) {
    parts.push(make("small", { id: `${control.id}-hint` }, hint));
    control.setAttribute("aria-describedby", `${control.id}-hint`);
  }
  return make("div", { class: "field" }, parts);
}

/**
 * Ask in a dialog; resolve to what its fields hold, or to null if it was closed.
 * The first field, or else the first button, has the focus.
 */
export function askIn({ title, body = [], agree, danger = false }) {
  return new Promise((resolve) => {
    let result = null;
    const titleId = `dialog-${(numbered += 1)}`;
    const form = make(
      "form",
      {
        class: "stack",
        on: {
          submit: () => {
            result = Object.fromEntries(new FormData(form));
            box.close();
          },
        },
      },
      make("h2", { id: titleId }, title),
      body,
      make(
        "div",
        { class: "line" },
        make("button", { class: danger ? "danger" : "primary" }, agree),
        button("Cancel", () => box.close()),
      ),
    );
    const box = make("dialog", { "aria-labelledby": titleId }, form);
    box.addEventListener("close", () => {
      box.remove();
      resolve(result);
    });
    document.body.append(box);
    box.showModal();
    const first = form.querySelector("input, button");
    first.focus();
    first.select?.();
  });
}

const TYPING =
  "input:not([type=checkbox], [type=radio], [type=file]), textarea, select, dialog, video";

/** Call `bindings[key]` when a key is pressed outside of fields, until `signal` is aborted. */
export function onKeys(bindings, signal) {
  const pressed = (happened) => {
    if (happened.ctrlKey || happened.metaKey || happened.altKey || happened.repeat) return;
    if (happened.target.closest(TYPING) || document.querySelector("dialog[open]")) return;
    const action = bindings[happened.key.toLowerCase()];
    if (!action) return;
    happened.preventDefault();
    attempt(() => action(happened));
  };
  document.addEventListener("keydown", pressed, { signal });
}

/** Show in a place that a change is being computed; what it showed before is gone at once. */
export function working(place) {
  place.setAttribute("aria-busy", "true");
  place.replaceChildren(make("p", { class: "small" }, "Working…"));
  place.focus({ preventScroll: true });
}

/** Whether a change of what a place shows is being computed. */
export const isWorking = (place) => place.hasAttribute("aria-busy");

/**
 * Return a wrapper of actions that runs one of them at a time. Calls meanwhile would mean what
 * is shown next, so they are left out, and the message says so; with `waits`, the latest such
 * call is made once the others are done.
 */
export function oneAtATime() {
  let running = false;
  let waiting = null;
  const run = async (action) => {
    running = true;
    try {
      await action();
    } finally {
      running = false;
      const after = waiting;
      waiting = null;
      if (after) attempt(() => run(after));
    }
  };
  return (action, { waits = false } = {}) =>
    async (...given) => {
      const call = () => action(...given);
      if (!running) return run(call);
      if (waits) waiting = call;
      else say("Still working: that was left out. Do it again when the work is done.");
    };
}
