/** The box that finds a camera: filters the wall while somebody types; elsewhere its form leads to the wall. */

const folded = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/** True when every word of `query` is in `text`; case and accents do not count. Pure. */
export const matches = (text, query) =>
  folded(query)
    .split(/\s+/)
    .every((word) => folded(text).includes(word));

/** @param {HTMLElement[]} roots tiles; @param {() => void} onChange called after tiles were shown or hidden */
export function bindSearch(roots, onChange) {
  const input = document.getElementById("find");
  const nothing = document.querySelector("[data-no-match]");
  const found = () => roots.filter((root) => !root.hidden);

  function filter() {
    for (const root of roots) root.hidden = !matches(`${root.dataset.name} ${root.dataset.camera}`, input.value.trim());
    nothing.hidden = found().length > 0;
    onChange();
  }

  input.value = new URLSearchParams(location.search).get("q") ?? "";
  input.addEventListener("input", filter);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    input.value = "";
    filter();
    input.blur();
  });
  input.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const links = found().map((root) => root.querySelector("[data-part=link]"));
    if (links.length === 1) links[0].click();
    else links[0]?.focus();
  });
  if (input.value) filter();
}
