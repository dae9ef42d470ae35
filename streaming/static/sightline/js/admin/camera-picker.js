/**
 * Turns a list of cameras into a picker: a search field, buttons for all that were found, and check
 * boxes for the first of them. The list stays in the form, hidden, and is what is sent.
 */

const MOST_ROWS = 200;

/** @param {Markup} select */
export function cameraPicker(select) {
  const options = [...select.options];
  const search = field("search", "Search cameras");
  const rows = document.createElement("div");
  const count = document.createElement("p");
  rows.setAttribute("role", "group");
  rows.setAttribute("aria-label", "Cameras");
  count.className = "help";
  count.setAttribute("role", "status");
  select.hidden = true;

  const found = () => {
    const text = search.value.trim().toLowerCase();
    return options.filter((option) => option.text.toLowerCase().includes(text));
  };
  const tell = () => {
    const matches = found().length;
    const chosen = options.filter((option) => option.selected).length;
    const cut = matches > MOST_ROWS ? `, the first ${MOST_ROWS} are shown` : "";
    count.textContent = `${chosen} of ${options.length} chosen; ${matches} found${cut}.`;
  };
  const draw = () => {
    rows.replaceChildren(
      ...found()
        .slice(0, MOST_ROWS)
        .map((option) => row(option, tell)),
    );
    tell();
  };
  const choose = (/** @type {boolean} */ on) => {
    for (const option of found()) option.selected = on;
    draw();
  };
  search.addEventListener("input", draw);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter") event.preventDefault();
  });
  const all = button("Select all found", () => choose(true));
  const none = button("Select none of them", () => choose(false));
  const tools = document.createElement("div");
  tools.className = "mf-picker";
  tools.append(search, all, none);
  select.after(tools, rows, count);
  draw();
}

/** A check box that stands for one option. */
function row(/** @type {HTMLOptionElement} */ option, /** @type {() => void} */ changed) {
  const label = document.createElement("label");
  const box = field("checkbox", option.text);
  box.checked = option.selected;
  box.addEventListener("change", () => {
    option.selected = box.checked;
    changed();
  });
  label.append(box, ` ${option.text}`);
  return label;
}

function field(/** @type {string} */ type, /** @type {string} */ words) {
  const made = document.createElement("input");
  made.type = type;
  made.setAttribute("aria-label", words);
  if (type === "search") made.placeholder = words;
  return made;
}

function button(/** @type {string} */ words, /** @type {() => void} */ act) {
  const made = document.createElement("button");
  made.type = "button";
  made.className = "button mf-quiet";
  made.textContent = words;
  made.addEventListener("click", act);
  return made;
}
