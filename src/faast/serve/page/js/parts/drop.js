// A place to drop files on, with a button that does the same.

import { attempt, button, make } from "../dom.js";
import { chosen, dropped } from "./files.js";

/** `take` gets `[{file, folder}]`; `folders` adds a button that chooses a whole folder. */
export function dropPlace({ words, accept, take, folders = false, multiple = true }) {
  const input = (attributes) => {
    const file = make("input", {
      type: "file",
      hidden: true,
      "aria-hidden": "true",
      ...attributes,
    });
    file.addEventListener("change", async () => {
      await attempt(() => take(chosen(file.files)));
      file.value = "";
    });
    return file;
  };
  const files = input({ accept, multiple });
  const folder = input({ webkitdirectory: true });
  const place = make(
    "div",
    { class: "drop" },
    make("p", {}, words),
    make(
      "div",
      { class: "line" },
      button(multiple ? "Choose files" : "Choose a file", () => files.click()),
      folders ? button("Choose a folder", () => folder.click()) : null,
    ),
    files,
    folders ? folder : null,
  );
  const over = (is) => place.classList.toggle("over", is);
  place.addEventListener("dragover", (happened) => {
    happened.preventDefault();
    over(true);
  });
  place.addEventListener("dragleave", () => over(false));
  place.addEventListener("drop", (happened) => {
    happened.preventDefault();
    over(false);
    attempt(async () => take(await dropped(happened.dataTransfer)));
  });
  return place;
}
