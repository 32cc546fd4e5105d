// The camera: a shot at a press of a button, more of them while it is held.

import { attempt, button, make } from "../dom.js";
import { shot } from "./files.js";

const PAUSE = 250; // milliseconds between two shots of a held button
const SIDE = 512; // pixels of the longer side of a shot

/** `take` gets each shot as base64 of a JPEG. The camera is off until it is asked for. */
export function camera(take, signal) {
  const place = make("div", { class: "camera stack" });
  const start = button("Use the camera", async () => {
    const stream = await navigator.mediaDevices?.getUserMedia({ video: true }).catch(() => null);
    if (!stream) {
      throw new Error(
        "There is no camera that this page may use. Allow it in the browser, or drop pictures.",
      );
    }
    const off = () => stream.getTracks().forEach((track) => track.stop());
    signal.addEventListener("abort", off);
    if (signal.aborted) return off();
    show(stream, () => {
      off();
      place.replaceChildren(start);
      start.focus();
    });
  });

  function show(stream, off) {
    const video = make("video", {
      autoplay: true,
      muted: true,
      playsinline: true,
      "aria-label": "Camera",
    });
    video.muted = true;
    video.srcObject = stream;
    const snap = make("button", { type: "button", class: "primary" }, "Take a picture");
    whileHeld(snap, async () => {
      if (!video.videoWidth) return;
      const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
      await take(
        shot(video, Math.round(video.videoWidth * scale), Math.round(video.videoHeight * scale)),
      );
    });
    place.replaceChildren(
      video,
      make("div", { class: "line" }, snap, button("Turn the camera off", off)),
      make("small", {}, "Hold the button, or the space bar on it, to take several."),
    );
    snap.focus();
  }

  place.append(start);
  return place;
}

/** Call `action` when a button is pressed, and again and again while it is held. */
function whileHeld(element, action) {
  let held = false;
  const begin = async () => {
    if (held) return;
    held = true;
    while (held && element.isConnected) {
      await attempt(action);
      await new Promise((resolve) => setTimeout(resolve, PAUSE));
    }
    held = false;
  };
  const end = () => {
    held = false;
  };
  element.addEventListener("pointerdown", begin);
  for (const event of ["pointerup", "pointerleave", "pointercancel", "keyup", "blur"]) {
    element.addEventListener(event, end);
  }
  element.addEventListener("keydown", (happened) => {
    if (happened.key !== " " && happened.key !== "Enter") return;
    happened.preventDefault();
    begin();
  });
  // a screen reader presses without a pointer or a key
  element.addEventListener("click", (happened) => happened.detail === 0 && attempt(action));
}
