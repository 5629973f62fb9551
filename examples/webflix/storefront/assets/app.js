// The site works without this: it only saves a page load.
import { matches } from "./filter.js";
import { stars, words } from "./stars.js";

const search = document.querySelector("input[type=search]");
search?.addEventListener("input", () => {
  for (const item of document.querySelectorAll(".shelf li")) {
    item.hidden = !matches(item.dataset.title, search.value);
  }
});

const form = document.querySelector("form.rate");
form?.addEventListener("submit", async (event) => {
  event.preventDefault();
  const answer = await fetch(form.action, {
    method: "POST",
    headers: { Accept: "application/json" },
    body: new URLSearchParams({ stars: event.submitter.value }),
  });
  if (!answer.ok) return form.submit();
  const rating = await answer.json();
  const shown = document.querySelector(".rating");
  shown.className = "rating";
  shown.replaceChildren(`${stars(rating.average)} `, Object.assign(document.createElement("small"), { textContent: words(rating) }));
});
