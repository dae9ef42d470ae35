/** What is said about a model that does not simply work. Pure. */

/** `gone` is a model that is not to look any more: nothing is said about it. */
const STATES = {
  loading: { kind: "wait", word: "loads", detail: "The model is being loaded." },
  failing: { kind: "bad", word: "fails", detail: "The model gives no answers." },
  unknown: {
    kind: "bad",
    word: "is not running",
    detail: "No inference worker reports this model.",
  },
};

/** The name that a model version has on the pages. */
export const modelName = ({ model, version }) => `${model} ${version}`;

/** The key (`model@version`) of such a name; neither part has a space in it. */
export const keyOf = (name) => name.replace(" ", "@");

/**
 * @param {{state: string, detail: string}} said as the server says
 * @returns {{kind: string, word: string, detail: string} | null} null when there is nothing to say
 */
export function describeModel(said) {
  if (!said || !Object.hasOwn(STATES, said.state)) return null;
  const words = STATES[said.state];
  return { ...words, detail: said.detail || words.detail };
}

/**
 * The line for a list of events when a model's state changes, or null when it is not worth one:
 * loading passes.
 */
export function modelChange(before, said) {
  const trouble = describeModel(said);
  const wasTrouble = describeModel(before)?.kind === "bad";
  if (trouble?.kind === "bad") {
    if (before && before.state === said.state) return null;
    return { title: `${modelName(said)} ${trouble.word}`, second: trouble.detail, kind: "bad" };
  }
  if (!wasTrouble || trouble || said.state === "gone") return null;
  return { title: `${modelName(said)} works again`, second: "Predictions arrive.", kind: "ok" };
}
