/**
 * The box that finds a camera: filters the wall while somebody types; elsewhere its form leads to
 * the wall.
 */

/**
 * @param {(query: string) => void} onQuery called with what was typed, each time that it changes
 * @param {() => HTMLElement[]} links of the cameras that are shown
 */
export function bindSearch(onQuery, links) {
  const input = document.getElementById("find");
  const tell = () => onQuery(input.value.trim());

  input.value = new URLSearchParams(location.search).get("q") ?? "";
  input.addEventListener("input", tell);
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    input.value = "";
    tell();
    input.blur();
  });
  input.form.addEventListener("submit", (event) => {
    event.preventDefault();
    const found = links();
    if (found.length === 1) found[0].click();
    else found[0]?.focus();
  });
  if (input.value) tell();
}
