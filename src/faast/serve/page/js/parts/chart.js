// The curve of accuracy over rows taught, with its interval.

import { count, draw, percent } from "../dom.js";

const WIDTH = 320;
const HEIGHT = 180;
const EDGE = { left: 38, right: 10, top: 10, bottom: 34 };

/** Draw points `{rows, accuracy, interval: [low, high]}`. */
export function curve(points) {
  const last = points.at(-1);
  const most = Math.max(last.rows, 2);
  const x = (rows) => EDGE.left + ((WIDTH - EDGE.left - EDGE.right) * rows) / most;
  const y = (share) => HEIGHT - EDGE.bottom - (HEIGHT - EDGE.top - EDGE.bottom) * share;
  const path = (values) =>
    values.map(([rows, share]) => `${x(rows).toFixed(1)},${y(share).toFixed(1)}`).join(" ");
  const band = [
    ...points.map(({ rows, interval }) => [rows, interval[1]]),
    ...points.toReversed().map(({ rows, interval }) => [rows, interval[0]]),
  ];
  const lines = [0, 0.25, 0.5, 0.75, 1].map((share) => [
    draw("line", {
      class: "grid",
      x1: EDGE.left,
      x2: WIDTH - EDGE.right,
      y1: y(share),
      y2: y(share),
    }),
    draw("text", { x: EDGE.left - 6, y: y(share) + 4, "text-anchor": "end" }, percent(share)),
  ]);
  const [low, high] = last.interval.map((share) => percent(share));
  return draw(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label":
        `Accuracy over rows taught, from ${percent(points[0].accuracy)} after ` +
        `${count(points[0].rows, "row")} to ${percent(last.accuracy)} after ${count(last.rows, "row")}, ` +
        `where it is between ${low} and ${high}.`,
    },
    lines,
    draw("polygon", { class: "band", points: path(band) }),
    draw("polyline", {
      class: "curve",
      points: path(points.map(({ rows, accuracy }) => [rows, accuracy])),
    }),
    draw("circle", { class: "dot", cx: x(last.rows), cy: y(last.accuracy), r: 4 }),
    draw("text", { x: EDGE.left, y: HEIGHT - 16 }, "0"),
    draw(
      "text",
      { x: WIDTH - EDGE.right, y: HEIGHT - 16, "text-anchor": "end" },
      last.rows.toLocaleString("en"),
    ),
    draw(
      "text",
      { x: (EDGE.left + WIDTH) / 2, y: HEIGHT - 4, "text-anchor": "middle" },
      "rows taught",
    ),
  );
}
