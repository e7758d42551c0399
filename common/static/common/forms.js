// DRF's template does not say which language its pages are in.
document.documentElement.lang = "en";
// Nor which field a label is for, what a caret opens, or how to scroll an answer by keyboard.
document.querySelectorAll(".form-group").forEach((group, place) => {
  const label = group.querySelector("label");
  const field = group.querySelector("input, select, textarea");
  if (!label || !field || label.htmlFor || label.contains(field)) return;
  field.id ||= `field-${place}`;
  label.htmlFor = field.id;
});
document.querySelectorAll(".dropdown-toggle:not([aria-label])").forEach((button) => {
  if (!button.textContent.trim()) button.setAttribute("aria-label", "Choose a format");
});
document.querySelectorAll("pre.prettyprint").forEach((answer) => { answer.tabIndex = 0; });
// Forms that ask (GET) send only what was filled in: an empty parameter is refused.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) {
    if (value === "") event.formData.delete(name);
  }
});
