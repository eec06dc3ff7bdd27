// Make the frame of an email in the local mailbox as high as the email.
"use strict";

const letter = document.querySelector(".mail-body");
const fit = () => {
  const body = letter.contentDocument?.body;
  if (body) letter.style.blockSize = `${body.offsetHeight + 2}px`;
};
letter.addEventListener("load", fit);
window.addEventListener("resize", fit);
fit();
