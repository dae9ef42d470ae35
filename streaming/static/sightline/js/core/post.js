/** What is sent to the server without leaving the page. */

// What is on its way arrives even when the page is left; browsers allow 64 KiB for that.
const KEPT_CHARACTERS = 32_000;

/**
 * @param {Record<string, any> | string[][]} fields of a form
 * @returns {Promise<any>} the JSON of the answer; an Error with a sentence for people when it is no
 *   success
 */
export const postForm = (address, fields) => send(address, "POST", new URLSearchParams(fields), {});

/** As `postForm`, with a document that is sent as JSON. */
export const sendJson = (method, address, document) =>
  send(address, method, JSON.stringify(document), { "Content-Type": "application/json" });

async function send(address, method, body, headers) {
  const token = document.querySelector("[name=csrfmiddlewaretoken]")?.value ?? "";
  let answer;
  try {
    const keepalive = String(body).length <= KEPT_CHARACTERS;
    answer = await fetch(address, {
      method,
      headers: { ...headers, "X-CSRFToken": token },
      body,
      keepalive,
    });
  } catch {
    throw new Error("The server does not answer. Try again when the page is connected.");
  }
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok)
    throw new Error(said.error ?? "The server refused. Reload the page and try again.");
  return said;
}
