// Enhances the account centre.
"use strict";

// Show times in the reader's time zone.
for (const time of document.querySelectorAll("time[data-local]")) {
  const format = new Intl.DateTimeFormat(time.dataset.local, { dateStyle: "long", timeStyle: "short" });
  time.textContent = format.format(new Date(time.dateTime));
}

// A button beside a number copies it; without one it can be selected.
for (const number of document.querySelectorAll("[data-copy]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet copy";
  button.textContent = number.dataset.copy;
  const said = document.createElement("span");
  said.className = "visually-hidden";
  said.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(number.textContent.trim());
    button.textContent = said.textContent = number.dataset.copied;
  });
  if (navigator.clipboard) number.after(" ", button, said);
}

// A button that prints the page.
for (const printed of document.querySelectorAll("[data-print]")) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet copy";
  button.textContent = printed.dataset.print;
  button.addEventListener("click", () => print());
  printed.after(" ", button);
}
