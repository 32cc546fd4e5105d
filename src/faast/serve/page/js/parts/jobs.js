// Uploads that the server works on: their progress, and stopping them.

import { get, send } from "../api.js";
import { button, count, make, say } from "../dom.js";

const ASK_EVERY = 400; // milliseconds

const ENDS = { done: "Done", cancelled: "Stopped", failed: "Failed" };

/** Show a job until it ends; `ended` is called then. */
export function follow(job, signal, ended) {
  const bar = make("progress", { "aria-label": "Progress" });
  const words = make("p", { role: "status" });
  const stop = button("Stop", async () => show(await send("DELETE", `/v1/jobs/${job.id}`)));
  const place = make("div", { class: "card stack close" }, words, bar, make("div", {}, stop));

  function show(now) {
    if (!now) return;
    const { status, done, total, detail } = now;
    const over = status in ENDS;
    if (total) Object.assign(bar, { max: total, value: done });
    words.textContent = over
      ? `${ENDS[status]}: ${count(done, "row")}. ${detail ?? ""}`
      : `${count(done, "row")}${total ? ` of ${total.toLocaleString("en")}` : ""} …`;
    words.classList.toggle("wrong", status === "failed");
    bar.hidden = stop.hidden = over;
  }

  async function ask() {
    if (signal.aborted) return;
    try {
      const now = await get(`/v1/jobs/${job.id}`, signal);
      show(now);
      if (now.status in ENDS) {
        ended(now);
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status) {
        say(error.message, true);
        return;
      }
    }
    setTimeout(ask, ASK_EVERY);
  }

  show(job);
  setTimeout(ask, ASK_EVERY / 4);
  return place;
}
