/**
 * Options in fields or as JSON: the server turns one into the other, and says what is wrong
 * instead.
 */

export function optionsMode(page, refresh) {
  let changes = Promise.resolve();
  let waiting = 0;
  const queue = (to) => {
    waiting += 1;
    // One after the other: the next one reads what the one before has written.
    changes = changes.then(() => change(page, to, refresh)).finally(() => (waiting -= 1));
  };
  for (const radio of page.form.elements[page.name("options_as")]) {
    radio.addEventListener("change", (event) => {
      event.stopPropagation();
      queue(radio.value);
    });
  }
  page.form.addEventListener("submit", (event) => {
    if (!waiting) return;
    event.preventDefault();
    changes.then(() => page.form.requestSubmit(event.submitter));
  });
}

async function change(page, to, refresh) {
  const from = to === "json" ? "fields" : "json";
  const answer = await page.ask("options", { more: { [page.name("options_as")]: from } });
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
