/** Options in fields or as JSON: the server turns one into the other, and says what is wrong instead. */

export function optionsMode(page, refresh) {
  for (const radio of page.form.elements[page.name("options_as")]) {
    radio.addEventListener("change", (event) => {
      event.stopPropagation();
      change(page, radio.value, refresh);
    });
  }
}

let changes = 0;

async function change(page, to, refresh) {
  const from = to === "json" ? "fields" : "json";
  const number = ++changes;
  const answer = await page.ask("options", { more: { [page.name("options_as")]: from } });
  if (number !== changes) return; // changed again since: the newer answer counts
  showObjection(page, answer.error ?? "");
  if (answer.error && from === "json") {
    page.choose("options_as", from);
  } else if (to === "json") {
    if (!answer.error) page.form.elements[page.name("options")].value = answer.options;
  } else {
    page.fill(answer.fields);
  }
  refresh();
}

function showObjection(page, sentence) {
  const row = page.form.elements[page.name("options")].closest(".mf-row");
  row.querySelector(".errorlist")?.remove();
  if (!sentence) return;
  const list = document.createElement("ul");
  list.className = "errorlist";
  const item = document.createElement("li");
  item.textContent = sentence;
  list.append(item);
  row.prepend(list);
}
