// DRF's template does not declare the language of its pages.
document.documentElement.lang = "en";
// It also does not connect labels to fields, does not name its dropdown buttons, and does not let
// the keyboard scroll a response.
document.querySelectorAll(".form-group").forEach((group, index) => {
  const label = group.querySelector("label");
  const field = group.querySelector("input, select, textarea");
  if (!label || !field || label.htmlFor || label.contains(field)) return;
  field.id ||= `field-${index}`;
  label.htmlFor = field.id;
});
document.querySelectorAll(".dropdown-toggle:not([aria-label])").forEach((button) => {
  if (!button.textContent.trim()) button.setAttribute("aria-label", "Choose a format");
});
document.querySelectorAll("pre.prettyprint").forEach((response) => { response.tabIndex = 0; });
// GET forms leave out blank fields, because the API rejects empty parameters.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) {
    if (value === "") event.formData.delete(name);
  }
});
