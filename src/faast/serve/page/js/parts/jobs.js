// Uploads that the server works on: their progress, stopping them, and forgetting what they taught.

import { get, post, send } from "../api.js";
import { button, count, make, say } from "../dom.js";

const ASK_EVERY = 400; // milliseconds

const ENDS = { done: "Done", cancelled: "Stopped", failed: "Failed" };

/** Show a job until it ends; `changed` is called when the task is another one by it. */
export function follow(job, signal, changed) {
  const bar = make("progress", { "aria-label": "Progress" });
  const words = make("p", { role: "status" });
  const stop = button("Stop", async () => show(await send("DELETE", `/v1/jobs/${job.id}`)));
  const undo = button("Forget these rows again", async () => {
    await post(`/v1/jobs/${job.id}/undo`);
    place.remove();
    await changed();
    say("The rows of the file are forgotten, as if they had never been added.");
  });
  const place = make("div", { class: "card stack close" }, words, bar, make("div", {}, stop, undo));

  function show({ status, done, total, detail }) {
    const over = status in ENDS;
    if (total) Object.assign(bar, { max: total, value: done });
    words.textContent = over
      ? `${ENDS[status]}: ${count(done, "row")}. ${detail ?? ""}`
      : `${count(done, "row")}${total ? ` of ${total.toLocaleString("en")}` : ""} …`;
    words.classList.toggle("wrong", status === "failed");
    bar.hidden = stop.hidden = over;
    undo.hidden = !over || !done;
    return over;
  }

  async function ask() {
    if (signal.aborted) return;
    try {
      if (show(await get(`/v1/jobs/${job.id}`, signal))) {
        await changed();
        return;
      }
    } catch (error) {
      if (signal.aborted) return;
      if (error.status) {
        say(error.message, true);
        return;
      }
      // the server is gone: the page says so, and the job goes on when it is back
    }
    setTimeout(ask, ASK_EVERY);
  }

  show(job);
  setTimeout(ask, ASK_EVERY / 4);
  return place;
}
