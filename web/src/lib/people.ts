// What an owner says of the family's people and their folders.

export const kGiB = 1024 ** 3;

// Of "200" or "0.5", in GiB; empty: 0n, no limit. Nothing: it is none.
export function limit_of_text(text: string): bigint | undefined {
  const number = text.trim().replace(",", ".");
  if (number === "") return 0n;
  if (!/^\d+(\.\d+)?$/.test(number)) return undefined;
  const bytes = Math.round(Number(number) * kGiB);
  return Number.isSafeInteger(bytes) && bytes > 0 ? BigInt(bytes) : undefined;
}
