// While a new password is typed, show the server's verdict on it. Screen readers announce it in a pause.
"use strict";

const BESIDE = ["csrf_token", "email", "first_name", "last_name"];
for (const box of document.querySelectorAll("[data-judged-by]")) {
  const input = box.querySelector("input");
  const verdict = box.parentElement.querySelector(".verdict");
  const said = verdict.querySelector("span");
  let pause = 0;
  let newest = 0;
  const say = ({ words = "", fit = false }) => {
    if (words) verdict.dataset.fit = fit;
    else delete verdict.dataset.fit;
    if (said.textContent !== words) said.textContent = words;
  };
  const forget = () => {
    clearTimeout(pause);
    newest += 1; // ignore a response that is still on its way
  };
  const ask = async () => {
    const asked = newest;
    const typed = new URLSearchParams({ password: input.value });
    for (const name of BESIDE) typed.set(name, input.form.elements[name]?.value ?? "");
    if (!typed.get("email")) typed.set("email", input.form.elements.username?.value ?? "");
    let answer = {}; // if the server cannot be reached, no verdict is shown
    try {
      const response = await fetch(box.dataset.judgedBy, { method: "POST", body: typed, headers: framed ? { "X-Portal-Framed": "1" } : {} });
      if (response.ok) answer = await response.json();
    } catch {}
    if (asked === newest) say(answer);
  };
  input.form.addEventListener("input", (event) => {
    if (event.target !== input && !BESIDE.includes(event.target.name)) return;
    forget();
    if (input.value) pause = setTimeout(ask, 400);
    else say({});
  });
  input.form.addEventListener("submit", forget);
}
