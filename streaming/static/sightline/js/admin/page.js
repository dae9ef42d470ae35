/** The form for a model version: what stands in it, and questions to the server about it. */

export class Page {
  constructor(root) {
    this.root = root;
    this.form = root.closest("form");
    this.kinds = JSON.parse(root.dataset.kinds);
    this.classes = JSON.parse(root.dataset.classes);
  }

  /** The name of a field of the version in this form. */
  name(field) {
    return this.root.dataset.prefix ? `${this.root.dataset.prefix}-${field}` : field;
  }

  value(field) {
    return this.form.elements[this.name(field)]?.value ?? "";
  }

  choose(field, value) {
    this.form.elements[this.name(field)].value = value;
  }

  get choice() {
    const runtime = this.value("runtime");
    return {
      runtime,
      kind: this.kinds[runtime] ?? { takes: [], tensors: false, files: false, remote: false },
      sees: this.value("sees"),
      mode: this.value("options_as"),
      adapter: this.value("o-output-adapter"),
      pythonModel: this.value("o-python-model"),
    };
  }

  part(name) {
    return this.root.querySelector(`[data-part="${name}"]`);
  }

  /** Puts values into fields by their HTML names, and marks them for a moment. */
  fill(values) {
    for (const [name, value] of Object.entries(values)) {
      const field = this.form.elements[name];
      if (!field) continue;
      if (field.type === "checkbox") field.checked = Boolean(value);
      else field.value = value ?? "";
      field.classList.add("mf-filled");
      setTimeout(() => field.classList.remove("mf-filled"), 2500);
    }
  }

  /**
   * The server's answer to the form as it stands; {error} when it gives none. `withFile`: the
   * model's file goes with it.
   */
  async ask(question, { withFile = false, more = {} } = {}) {
    const data = new FormData(this.form);
    if (!withFile) data.delete(this.name("file"));
    for (const [name, value] of Object.entries(more)) data.set(name, value);
    try {
      const reply = await fetch(this.root.dataset[`${question}Url`], {
        method: "POST",
        body: data,
        headers: { Accept: "application/json" },
      });
      if (reply.ok) return await reply.json();
      if (reply.status === 403)
        return { error: "You may not do that, or you are logged out. Load the page again." };
      return { error: `The server answered with an error (${reply.status}). Its log says why.` };
    } catch {
      return { error: "Sightline does not answer. Is it still running?" };
    }
  }
}
