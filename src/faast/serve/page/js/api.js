// Requests to the server. Every error is an Error whose message says what to do.

const TOKEN = "faast token";

/** An answer that says what is wrong. */
export class RequestError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** Whether requests are sent with a token. */
export const hasToken = () => sessionStorage.getItem(TOKEN) !== null;

let askForToken = null;

/** Set what is called when the server wants a token; it resolves to the token. */
export function whenRefused(ask) {
  askForToken = ask;
}

/** Say whether the server answers, as an event of the window. */
function report(answers) {
  window.dispatchEvent(new CustomEvent("server", { detail: answers }));
}

/** Send a request and return the response; throw a RequestError if it fails. */
async function request(method, path, { body, type, signal } = {}) {
  const headers = {};
  const token = sessionStorage.getItem(TOKEN);
  if (token) headers.Authorization = `Bearer ${token}`;
  if (type) headers["Content-Type"] = type;
  let answer;
  try {
    answer = await fetch(path, { method, headers, body, signal });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    report(false);
    throw new RequestError("The server does not answer. Is faast serve still running?", 0);
  }
  report(true);
  if (answer.status === 401 && askForToken) {
    sessionStorage.setItem(TOKEN, await askForToken(Boolean(token)));
    return request(method, path, { body, type, signal });
  }
  if (!answer.ok) throw new RequestError(await detailOf(answer), answer.status);
  return answer;
}

async function detailOf(answer) {
  try {
    const detail = (await answer.json()).detail;
    return detail[0].toUpperCase() + detail.slice(1);
  } catch {
    return `The server answered ${answer.status} ${answer.statusText}.`;
  }
}

/** Send a request with JSON and return what the answer holds. */
export async function send(method, path, content, signal) {
  const sent =
    content === undefined ? {} : { body: JSON.stringify(content), type: "application/json" };
  const answer = await request(method, path, { ...sent, signal });
  return answer.status === 204 ? null : answer.json();
}

export const get = (path, signal) => send("GET", path, undefined, signal);
export const post = (path, content = undefined) => send("POST", path, content);

/** Send a file as it is. */
export async function upload(path, file) {
  const answer = await request("POST", path, { body: file, type: "application/octet-stream" });
  return answer.json();
}

/** Return the bytes of an address as a Blob. */
export async function blob(path, signal) {
  return (await request("GET", path, { signal })).blob();
}

/** Return the bytes of an address as a data: address, which an <img> shows. */
export async function dataAddress(path, signal) {
  return readAsDataAddress(await blob(path, signal));
}

export function readAsDataAddress(content) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(new Error(`${content.name ?? "The file"} cannot be read.`));
    reader.readAsDataURL(content);
  });
}

/** Save bytes as a file of the user. */
export function save(content, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(content);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}

/** The path of something of a task. */
export const pathOf =
  (task) =>
  (rest = "") =>
    `/v1/tasks/${encodeURIComponent(task)}${rest}`;
