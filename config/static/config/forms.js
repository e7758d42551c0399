// DRF's template does not say which language its pages are in.
document.documentElement.lang = "en";
// Forms that ask (GET) send only what was filled in: an empty parameter is refused.
document.addEventListener("formdata", (event) => {
  if (event.target.method !== "get") return;
  for (const [name, value] of [...event.formData]) {
    if (value === "") event.formData.delete(name);
  }
});
