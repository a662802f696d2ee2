// Splits a line of arguments as a shell would: spaces separate, '…' and "…" hold together, \ takes the next character.
// Throws an Error with a sentence for a person if a quote is left open.
export function split_arguments(line: string): string[] {
  const out: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const character = line[i]!;
    if (quote !== "") {
      if (character === quote) quote = "";
      else if (character === "\\" && quote === '"' && /["\\]/.test(line[i + 1] ?? "")) word = (word ?? "") + (line[++i] ?? "");
      else word = (word ?? "") + character;
    } else if (character === "'" || character === '"') {
      quote = character;
      word ??= "";
    } else if (/\s/.test(character)) {
      if (word !== undefined) out.push(word);
      word = undefined;
    } else {
      word = (word ?? "") + (character === "\\" ? (line[++i] ?? "\\") : character);
    }
  }
  if (quote !== "") throw new Error(`the arguments have a ${quote} that is never closed`);
  if (word !== undefined) out.push(word);
  return out;
}
