// What people think of a film, as the server writes it too (storefront/pages.py).
export function stars(average) {
  const full = Math.min(5, Math.max(0, Math.round(average)));
  return "★".repeat(full) + "☆".repeat(5 - full);
}

export function words({ average, count }) {
  if (!count) return "not rated yet";
  return `${average.toFixed(1)} by ${count} ${count === 1 ? "person" : "people"}`;
}
