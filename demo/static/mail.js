// Load new emails while the page is visible.
"use strict";

setInterval(async () => {
  if (document.visibilityState === "hidden") return;
  const response = await fetch("/mail").catch(() => null);
  if (!response?.ok) return;
  const found = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#mails");
  const shown = document.querySelector("#mails");
  if (found.innerHTML !== shown.innerHTML) shown.replaceChildren(...found.childNodes);
}, 2000);
