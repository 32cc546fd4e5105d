// Labels with their shares as bars: probabilities, accuracies.

import { level, make, name, percent } from "../dom.js";

/** Show `[label, share, words]` as a list; the words stand for the share if they are given. */
export function shares(entries) {
  return make(
    "dl",
    { class: "shares" },
    entries.map(([label, share, words = percent(share, 1)]) =>
      make(
        "div",
        {},
        make("dt", {}, name(label)),
        make("dd", { class: "number" }, words),
        level(share),
      ),
    ),
  );
}

/** The classes of an answer, the most probable first. */
export function ranked(answer, limit = 5) {
  return Object.entries(answer.probabilities)
    .sort((one, other) => other[1] - one[1])
    .slice(0, limit);
}
