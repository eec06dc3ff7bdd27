// Walk a new customer's journey in Firefox and print the heading of each page.
// Arguments: the portal's URL, the path of Firefox, "with" or "without" scripts, a folder for screenshots.
import puppeteer from "puppeteer-core";

const [url, executablePath, scripts, folder] = process.argv.slice(2);
const email = `firefox-${scripts}@example.com`;
const [first, second, third] = ["seven tame herons wade", "nine grey otters swim", "four red foxes sleep"];
const faults = [];

const browser = await puppeteer.launch({ browser: "firefox", executablePath, headless: true });
const page = await browser.newPage();
await page.setViewport({ width: 390, height: 844 });
page.setDefaultTimeout(30_000);
page.on("pageerror", (error) => faults.push(String(error)));
if (scripts === "without") {
  await page.setRequestInterception(true);
  page.on("request", (request) => (/\.js(\?|$)/.test(request.url()) ? request.abort() : request.continue()));
}

let shots = 0;
async function see() {
  const heading = await page.$eval("h1", (h1) => h1.textContent.trim());
  await page.screenshot({ path: `${folder}/firefox-${scripts}-${String(++shots).padStart(2, "0")}.png` });
  console.log(heading);
}
// Not page.waitForNavigation(): the script of a link's page replaces its address, which counts as one.
async function leave(act) {
  await page.evaluate(() => document.documentElement.setAttribute("data-left", ""));
  await act();
  await page.waitForFunction(() => document.readyState === "complete" && !document.querySelector("[data-left]"));
  await see();
}
async function open(path) {
  await page.goto(url + path);
  await see();
}
async function type(fields) {
  for (const [name, text] of Object.entries(fields)) await page.type(`main [name=${name}]`, text);
}
const press = (name) => leave(async () => (await page.waitForSelector(`aria/${name}[role="button"]`)).click());
const follow = (name) => leave(async () => (await page.waitForSelector(`aria/${name}[role="link"]`)).click());
async function openMail(subject) {
  const mail = `::-p-xpath(//li[contains(., "${email}")]//a[contains(., "${subject}")])`;
  do await page.goto(`${url}/dev/mailbox`);
  while (!(await page.$(mail)));
  await leave(() => page.click(mail));
  const link = await page.$eval("pre a", (a) => a.href);
  await page.goto(link);
  await see();
}

try {
  await open("/");
  await follow("Create an account");
  await type({ first_name: "Ada", last_name: "Quill", email, password: first });
  await press("Create an account");
  await openMail("Confirm your email");
  await press("Confirm email address");
  await open("/account/password");
  await type({ current_password: first, password: second });
  await press("Save new password");
  await press("Sign out");
  await open("/login");
  await type({ email, password: "not my password" });
  await press("Sign in");
  await type({ password: second });
  await press("Sign in");
  await press("Sign out");
  await open("/login");
  await type({ email });
  await press("Email me a sign-in link");
  await openMail("Sign in to");
  await press("Sign in");
  await press("Sign out");
  await open("/password/reset");
  await type({ email });
  await press("Email me a reset link");
  await openMail("Set a new password");
  await type({ password: third });
  await press("Save new password");
  for (const path of ["profile", "security", "sessions", "activity"]) await open(`/account/${path}`);
} finally {
  await browser.close();
}
if (faults.length) throw new Error(faults.join("\n"));
