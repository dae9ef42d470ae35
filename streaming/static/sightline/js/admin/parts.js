/** Which parts of the form belong to what was chosen. */

/** @returns {Object<string, boolean>} by the name of the part, whether it is shown */
export function partsShown({ kind, sees, runtime, mode }) {
  const records = sees === "records";
  return {
    file: kind.files,
    describe: mode !== "json" && (kind.tensors || (runtime === "python" && records)),
    input: kind.tensors && !records,
    output: kind.tensors && !records,
    "record-tensors": kind.tensors && records,
    records,
    "run-pictures": !records,
    "run-batch": true,
    "run-records": records,
    "try-pictures": !records,
    "try-records": records,
  };
}

/** What a version can be fed with: of a Python class, what the class says. */
export function takes({ kind, runtime, pythonModel }, classes) {
  return runtime === "python" && classes[pythonModel] ? classes[pythonModel].takes : kind.takes;
}

/** Whether an option is one of the chosen runtime and adapter. */
export function rowShown({ runtimes, adapter }, choice) {
  if (runtimes) return runtimes.split(" ").includes(choice.runtime);
  return !adapter || adapter === choice.adapter;
}

export function showParts(page) {
  const feeds = takes(page.choice, page.classes);
  if (page.choice.runtime && feeds.length && !feeds.includes(page.choice.sees))
    page.choose("sees", feeds[0]);
  const { choice } = page;
  forgetAnswers(page, `${choice.runtime} ${choice.sees} ${choice.pythonModel}`);
  const shown = partsShown(choice);
  for (const part of page.root.querySelectorAll("[data-part]")) {
    if (part.dataset.part in shown) part.hidden = !shown[part.dataset.part];
  }
  for (const part of page.root.querySelectorAll("[data-mode]")) {
    const inShownPart = !(part.dataset.part in shown) || shown[part.dataset.part];
    part.hidden = part.dataset.mode !== choice.mode || !inShownPart;
  }
  for (const row of page.root.querySelectorAll(".mf-row[data-runtimes], .mf-row[data-adapter]"))
    row.hidden = !rowShown(row.dataset, choice);
  const own = page.part("own");
  page.part("none").hidden = [...own.querySelectorAll(".mf-row")].some((row) => !row.hidden);
  showFeeds(page, feeds);
}

/** What a runtime cannot be fed with is not offered. */
function showFeeds(page, feeds) {
  for (const radio of page.form.elements[page.name("sees")])
    radio.disabled = feeds.length > 0 && !feeds.includes(radio.value);
}

/** What was said of another choice does not stay. */
function forgetAnswers(page, choice) {
  if (page.root.dataset.choice !== undefined && page.root.dataset.choice !== choice) {
    for (const place of page.root.querySelectorAll("[data-told], [data-result]"))
      place.replaceChildren();
  }
  page.root.dataset.choice = choice;
}
