// Handle the portal's events as a shop does.
"use strict";

const note = (words) => {
  const item = document.createElement("li");
  item.textContent = words;
  document.querySelector("#events").append(item);
};

const greet = (name) => {
  document.querySelector("#who").textContent = name ? `Hello ${name}` : "Not signed in";
};

const post = async (path, body) => {
  const headers = { "Content-Type": "application/json" };
  return (await fetch(path, { method: "POST", headers, body: JSON.stringify(body) })).json();
};

document.addEventListener("portal:resize", ({ detail }) => note(`portal:resize, height ${detail.height}`));

// Only the shop's server can redeem the code, with its API key.
document.addEventListener("portal:signed-in", async ({ detail }) => {
  note(`portal:signed-in, code ${detail.code.slice(0, 4)}…`);
  const { answer, name } = await post("/sign-in", { code: detail.code });
  note(answer.success ? `The server redeemed it for ${answer.account.email}` : `The server was told ${answer.message}`);
  greet(name);
});

document.addEventListener("portal:signed-out", async () => {
  note("portal:signed-out");
  await post("/sign-out", {});
  greet(null);
});
