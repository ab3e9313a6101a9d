// Sort a table by the column whose heading is pressed: numbers as numbers, empty cells last, equal ones as they were.
"use strict";
for (const table of document.querySelectorAll("table.sortable")) {
  const headings = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  headings.forEach((heading, column) => {
    heading.querySelector("button").addEventListener("click", () => {
      const direction = heading.getAttribute("aria-sort") === "ascending" ? -1 : 1;
      const keyed = [...body.rows].map((row) => [row.cells[column].dataset.sort, row]);
      keyed.sort(([a], [b]) => compare(a, b, direction));
      for (const other of headings) other.setAttribute("aria-sort", "none");
      heading.setAttribute("aria-sort", direction === 1 ? "ascending" : "descending");
      body.append(...keyed.map(([, row]) => row));
    });
  });
}

function compare(a, b, direction) {
  if (a === "" || b === "") return (a === "") - (b === "");
  const difference = Number(a) - Number(b);
  return direction * (Number.isNaN(difference) ? a.localeCompare(b, "en", { numeric: true }) : difference);
}

// A closed box would print as nothing.
const boxes = [...document.querySelectorAll("details")];
window.addEventListener("beforeprint", () => boxes.forEach((box) => { box.dataset.was = box.open; box.open = true; }));
window.addEventListener("afterprint", () => boxes.forEach((box) => { box.open = box.dataset.was === "true"; }));

// Charts take the place of their figures, one after the other; where one fails, its figure stays. Scripts of type
// module have run when this event comes.
document.addEventListener("DOMContentLoaded", async () => {
  if (!window.vegaEmbed) return;
  for (const source of document.querySelectorAll("script.specification")) {
    const figure = source.closest("figure");
    figure.classList.add("live");  // a chart asks for its width, and what is hidden has none
    const options = { ast: true, renderer: "svg", actions: false };
    try { await vegaEmbed(figure.querySelector(".chart"), JSON.parse(source.textContent), options); }
    catch (error) { figure.classList.remove("live"); console.error(error); }
  }
  document.documentElement.dataset.charts = "ready";
});
