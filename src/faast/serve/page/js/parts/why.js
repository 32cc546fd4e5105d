// Why an answer is given: which words, regions or numbers of a row speak for it.

import { draw, make, name, percent } from "../dom.js";
import { shares } from "./shares.js";

const COLUMNS = 8; // numbers that are shown, those that say most
const STRONGEST = 0.4; // of the colour behind a word, so that it stays readable

/** Show the parts of a row by how much they speak for the answer. */
export function reasons(row, answer) {
  const { label, against, words, regions, columns, prior_share: prior } = answer;
  const between = against === null ? [] : [name(label), " rather than ", name(against)];
  return [
    words?.length
      ? [
          made(
            "The stronger the colour of a word, the more it speaks for ",
            between,
            ". Red ones speak against it.",
          ),
          make("p", { class: "text why", dir: "auto" }, marked(row.text, words)),
        ]
      : null,
    regions?.length
      ? [made("The bright places speak for ", between, "."), shaded(row.picture, regions)]
      : null,
    columns?.length
      ? [made("Numbers that speak most for or against ", between, "."), strongest(columns)]
      : null,
    prior > 0
      ? made(`${percent(prior)} of the answer comes from the names of the classes alone.`)
      : null,
  ]
    .flat()
    .filter(Boolean);
}

const made = (...words) => make("p", { class: "small" }, words);

const largest = (parts) => Math.max(...parts.map(({ share }) => Math.abs(share)), 1e-9);

/** The text with its words marked; what stands between them is left as it is. */
function marked(text, words) {
  const most = largest(words);
  const parts = [];
  let from = 0;
  for (const { text: word, share } of words) {
    const at = text.indexOf(word, from);
    if (at < 0) continue;
    const mark = make(
      "mark",
      {
        class: share < 0 ? "against" : null,
        title: `${percent(Math.abs(share))} ${share < 0 ? "against it" : "for it"}`,
      },
      word,
    );
    mark.style.setProperty("--strength", percent((STRONGEST * Math.abs(share)) / most));
    parts.push(text.slice(from, at), mark);
    from = at + word.length;
  }
  return [...parts, text.slice(from)];
}

/** The picture, darker where it says less for the answer. */
function shaded(picture, regions) {
  const most = largest(regions);
  const image = make("img", { alt: "The picture that was asked about" });
  image.src = `data:${typeOf(picture)};base64,${picture}`;
  const shades = regions.map(({ share, ...place }) =>
    draw("rect", { ...place, "fill-opacity": (0.7 * (1 - Math.max(0, share) / most)).toFixed(2) }),
  );
  const shade = { viewBox: "0 0 1 1", preserveAspectRatio: "none", "aria-hidden": "true" };
  return make("div", { class: "regions" }, image, draw("svg", shade, shades));
}

/** The type of a picture by the first letters of its base64. */
function typeOf(picture) {
  if (picture.startsWith("iVBOR")) return "image/png";
  return picture.startsWith("UklGR") ? "image/webp" : "image/jpeg";
}

function strongest(columns) {
  const size = ({ share }) => Math.abs(share);
  const most = [...columns].sort((one, other) => size(other) - size(one)).slice(0, COLUMNS);
  return shares(
    most.map((column) => [
      /^\d+$/.test(column.name) ? `number ${Number(column.name) + 1}` : column.name,
      size(column),
      `${percent(size(column))} ${column.share < 0 ? "against it" : "for it"}`,
    ]),
  );
}
