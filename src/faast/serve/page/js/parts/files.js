// Files that people drop or choose: pictures by folder, and tables.

import { readAsDataAddress } from "../api.js";

const PICTURES = ["image/png", "image/jpeg", "image/webp"];
const TABLES = { csv: "csv", jsonl: "jsonl", zip: "zip" };
const SIDE = 1_024; // pixels that a picture sent may be wide or high
const BYTES = 2 * 2 ** 20; // bytes above which a picture is made smaller even so

export const isPicture = (file) => PICTURES.includes(file.type);

/** The format of a table or an archive by its suffix; undefined for other files. */
export const formatOf = (file) => TABLES[file.name.split(".").pop().toLowerCase()];

/** Return `[{file, folder}]` of what was dropped, with the files of folders. */
export async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  return entries.length ? (await Promise.all(entries.map(filesOf))).flat() : chosen(transfer.files);
}

/** Return `[{file, folder}]` of what was chosen; the folder is null for a file on its own. */
export function chosen(files) {
  return [...files].map((file) => ({
    file,
    folder: file.webkitRelativePath.split("/").at(-2) ?? null,
  }));
}

async function filesOf(entry, folder = null) {
  if (entry.isFile) {
    return [{ file: await new Promise((resolve, reject) => entry.file(resolve, reject)), folder }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) return found.flat();
    found.push(...(await Promise.all(some.map((inner) => filesOf(inner, entry.name)))));
  }
}

const afterComma = (address) => address.slice(address.indexOf(",") + 1);

/** Return a picture as base64, made smaller if it is larger than an encoder looks at. */
export async function encoded(file) {
  const image = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name ?? "The picture"} cannot be read. Use PNG, JPEG or WebP.`);
  });
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  if (scale === 1 && file.size <= BYTES && isPicture(file)) {
    return afterComma(await readAsDataAddress(file));
  }
  return shot(image, Math.round(image.width * scale), Math.round(image.height * scale));
}

/** Return what an image or a video shows as base64 of a JPEG. */
export function shot(image, width, height) {
  const canvas = document.createElement("canvas");
  Object.assign(canvas, { width, height });
  canvas.getContext("2d").drawImage(image, 0, 0, width, height);
  return afterComma(canvas.toDataURL("image/jpeg", 0.9));
}
