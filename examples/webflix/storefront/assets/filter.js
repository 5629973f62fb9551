// Whether a title matches what somebody types: any case, any accents, words in any order.
const plain = (text) =>
  text.normalize("NFD").replace(/\p{Diacritic}/gu, "").toLowerCase();

export function matches(title, typed) {
  const where = plain(title);
  return plain(typed).split(/\s+/).every((word) => where.includes(word));
}
