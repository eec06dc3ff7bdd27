// Enhances every page. Without JavaScript the pages work, too.
"use strict";

// Remove a one-time token from the address bar and the history. After a form with errors, going back or reloading opens
// its page again: the browser would ask whether to send the form once more.
const cleanPath = document.querySelector("main").dataset.cleanPath;
if (cleanPath) history.replaceState(null, "", cleanPath);

// In a frame: tell the site around it the height of the page and, by a code that only its server can use, who has signed
// in or out. Messages are sent only to the sites that the organisation has listed.
const page = document.documentElement;
const framed = "parents" in page.dataset && window.parent !== window;
if (framed) {
  const listed = page.dataset.parents.split(" ");
  const parent = location.ancestorOrigins?.[0];
  const told = listed.filter((origin) => !parent || origin === parent);
  const tell = (message) => {
    for (const origin of told) window.parent.postMessage({ source: "portal", v: 1, ...message }, origin);
  };
  new ResizeObserver(() => tell({ type: "resize", height: document.body.offsetHeight })).observe(document.body);
  if (page.dataset.event) tell({ type: page.dataset.event });
  // The frame's name keeps the nonce of the page around it while the pages in the frame change.
  const nonce = new URLSearchParams(location.search).get("nonce");
  if (nonce) window.name = `portal:${nonce}`;
  const known = window.name.startsWith("portal:") ? window.name.slice(7) : page.dataset.nonce;
  const { handover } = page.dataset;
  if (handover && known) {
    const body = new URLSearchParams({
      csrf_token: document.querySelector("[name=csrf_token]").value,
      nonce: known,
    });
    fetch(handover, { method: "POST", body, headers: { "X-Portal-Framed": "1" } })
      .then((response) => (response.ok ? response.json() : {}))
      .then(({ code }) => code && tell({ type: "signed-in", code }))
      .catch(() => {}); // without a network; the next page asks again
  }
}

// Focus the error summary. With a single wrong field there is no summary, and the field is focused.
document.querySelector(".problems, [aria-invalid]:not([autofocus])")?.focus();

// Remove the error of a field when it is changed, also from the summary.
document.addEventListener("input", ({ target }) => {
  if (!target.hasAttribute("aria-invalid")) return;
  target.removeAttribute("aria-invalid");
  document.getElementById(`${target.id}-error`)?.remove();
  const left = (target.getAttribute("aria-describedby") ?? "").replace(/\S+-error$/, "").trim();
  if (left) target.setAttribute("aria-describedby", left);
  else target.removeAttribute("aria-describedby");
  document.querySelector(`.problems a[href="#${target.id}"]`)?.closest("li").remove();
  if (document.querySelector(".problems li, .problems > p, [aria-invalid]")) return;
  document.querySelector(".problems")?.remove();
  document.title = page.dataset.title;
});

// Fill in the address that was typed into another form in this tab, until a customer signs in.
const address = document.querySelector("main input[type=email]");
try {
  if ("signedIn" in document.body.dataset) sessionStorage.removeItem("address");
  else if (address) {
    address.value = sessionStorage.getItem("address") || address.value;
    address.addEventListener("input", () => sessionStorage.setItem("address", address.value));
  }
} catch {} // a frame that may not store anything

// Add a button beside each password that shows it.
for (const box of document.querySelectorAll(".password")) {
  const input = box.querySelector("input");
  const button = document.createElement("button");
  button.type = "button";
  button.className = "reveal";
  button.setAttribute("aria-controls", input.id);
  const show = (visible) => {
    input.type = visible ? "text" : "password";
    button.textContent = visible ? box.dataset.hide : box.dataset.show;
    button.setAttribute("aria-pressed", visible);
    button.setAttribute("aria-label", `${button.textContent}: ${input.labels[0].textContent}`);
  };
  button.addEventListener("click", () => show(input.type === "password"));
  input.form.addEventListener("submit", () => show(false));
  show(false);
  box.append(button);
}

// Send a form once, however often its button is pressed. After a while it can be sent again.
const setBusy = (form, busy, pressed) => {
  form.toggleAttribute("data-busy", busy);
  for (const button of form.querySelectorAll("[type=submit]")) {
    button.toggleAttribute("data-pressed", busy && button === pressed);
    if (busy) button.setAttribute("aria-disabled", "true");
    else button.removeAttribute("aria-disabled");
  }
};
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.hasAttribute("data-busy")) return event.preventDefault();
  setBusy(form, true, event.submitter);
  setTimeout(() => setBusy(form, false), Number(form.dataset.busyFor ?? 10_000)); // less where the answer may be a file
});

// Enable the forms of a page from the back/forward cache. A page of a signed-in customer is loaded again, since the
// customer may have signed out.
window.addEventListener("pageshow", (event) => {
  if (!event.persisted) return;
  document.querySelectorAll("form[data-busy]").forEach((form) => setBusy(form, false));
  if ("signedIn" in document.body.dataset) location.replace(location.pathname + location.search);
});
