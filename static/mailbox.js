// The local mailbox looks for new emails by itself, as long as somebody looks at it.
"use strict";

const PAUSE = 2000;
const status = document.querySelector("#mailbox-status");
document.querySelector("#mailbox-refresh").remove();

async function look() {
  const shown = document.querySelector("#mailbox");
  if (document.visibilityState === "hidden") return;
  const response = await fetch(location.href, { cache: "no-store" });
  if (!response.ok || response.redirected) return;
  const found = new DOMParser().parseFromString(await response.text(), "text/html").querySelector("#mailbox");
  if (!found || found.innerHTML === shown.innerHTML) return;
  const focused = shown.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  const more = found.querySelectorAll("li").length > shown.querySelectorAll("li").length;
  shown.replaceWith(document.adoptNode(found));
  if (focused) found.querySelector(`[href="${CSS.escape(focused)}"]`)?.focus();
  status.textContent = "";
  if (more) setTimeout(() => { status.textContent = found.dataset.new; }, 100);
}

// One question after the other, however slow; a portal that is restarted is asked again.
const watch = () => look().catch(() => {}).finally(() => setTimeout(watch, PAUSE));
setTimeout(watch, PAUSE);
document.addEventListener("visibilitychange", () => look().catch(() => {}));
