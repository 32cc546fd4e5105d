// Rows of numbers as people write them.

/** Return the numbers of each line; throw an Error that names the first bad one. */
export function parseNumbers(text) {
  const rows = text
    .split(/\r?\n/)
    .filter((line) => line.trim())
    .map((line, position) =>
      line
        .trim()
        .split(/[\s,;]+/)
        .map((word) => {
          const number = Number(word);
          if (word === "" || !Number.isFinite(number)) {
            throw new Error(`Line ${position + 1}: ${word || "an empty place"} is not a number.`);
          }
          return number;
        }),
    );
  const odd = rows.findIndex((row) => row.length !== rows[0].length);
  if (odd > 0) {
    throw new Error(
      `Line ${odd + 1} has ${rows[odd].length} numbers, line 1 has ${rows[0].length}. Give each line as many.`,
    );
  }
  return rows;
}
