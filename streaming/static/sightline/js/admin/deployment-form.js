/** The page of a deployment: only the fields of the kind that was chosen. */

const PICTURES = [
  "all_cameras",
  "groups",
  "cameras",
  "crops_of",
  "crop_label",
  "threshold",
  "batch_ms",
  "role",
];

const kind = document.querySelector("#id_kind");

function refresh() {
  for (const name of PICTURES) {
    const row = document.querySelector(`.form-row.field-${name}`);
    if (row) row.hidden = kind.value === "records";
  }
  suit(document.querySelector("#id_delivery"), kind.value === "records");
}

/** A delivery that the kind does not have is changed to one that it has. */
function suit(delivery, records) {
  if (!delivery) return;
  for (const option of delivery.options) option.disabled = (option.value === "latest") === records;
  if (delivery.selectedOptions[0]?.disabled) delivery.value = records ? "every" : "latest";
}

if (kind) {
  kind.addEventListener("change", refresh);
  refresh();
}
