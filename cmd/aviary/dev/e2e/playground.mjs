// Somebody develops a project in a browser tab: the playground of `aviary dev`. The Go test
// e2e_test.go serves the project, runs this, and saves files when a line with an @ asks for it.
//
// Environment: AVIARY_NODE_MODULES, CHROMIUM, AVIARY_URL (of the page), AVIARY_SHOTS
// (directory for screenshots).
import assert from "node:assert/strict";
import {createRequire} from "node:module";
import {join} from "node:path";
import {createInterface} from "node:readline";

const require = createRequire(join(process.env.AVIARY_NODE_MODULES, "playground.js"));
const {chromium} = require("playwright-core");

const {AVIARY_URL: URL_, AVIARY_SHOTS: SHOTS, CHROMIUM} = process.env;
const TIMEOUT = 60_000; // builds are on the way
const ARGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

const answers = createInterface({input: process.stdin})[Symbol.asyncIterator]();

async function ask(what) {
  console.log(`@${what}`);
  const {value, done} = await answers.next();
  assert.ok(!done && value === "done", `the Go test answered ${value}`);
}

const problems = [];

async function open(browser, colorScheme) {
  const context = await browser.newContext({viewport: {width: 1400, height: 900}, colorScheme});
  const page = await context.newPage();
  page.setDefaultTimeout(TIMEOUT);
  page.on("pageerror", error => problems.push(`exception: ${error.message}`));
  page.on("console", message => { if (message.type() === "error") problems.push(message.text()); });
  page.on("response", response => { if (response.status() >= 400) problems.push(`${response.status()} ${response.url()}`); });
  await page.goto(URL_);
  return page;
}

const at = (page, testid) => page.getByTestId(testid);
const sees = (page, testid, text) => at(page, testid).filter({hasText: text}).first().waitFor();

async function joins(page, name) {
  await at(page, "join-payload").fill(JSON.stringify({name}));
  await at(page, "join").click();
  await sees(page, "status", "joined");
}

async function pushes(page, event, payload) {
  await at(page, "event").fill(event);
  await at(page, "payload").fill(payload);
  await at(page, "push").click();
}

async function frameIs(page, text) { await at(page, "frames").locator("li").filter({hasText: text}).first().waitFor(); }

const joinCount = page => page.evaluate(() => document.getElementById("status-pill").dataset.joins);

async function story(browser) {
  const ada = await open(browser, "light");
  await sees(ada, "generation", "generation 1");
  assert.equal(await at(ada, "topic").inputValue(), "room:lobby", "a topic that the project serves");

  await at(ada, "join-payload").fill("{");
  await at(ada, "join").click();
  await sees(ada, "join-hint", "not JSON");
  await at(ada, "join-payload").fill("{}");
  await at(ada, "join").click();
  await sees(ada, "join-hint", "a name has to have 1 to 40 characters");

  await joins(ada, "Ada");
  const bob = await open(browser, "dark");
  await joins(bob, "Bob");
  for (const page of [ada, bob]) {
    await sees(page, "present", "Ada");
    await sees(page, "present", "Bob");
  }

  await pushes(ada, "new_msg", `{"text": "hello"}`);
  await sees(ada, "push-hint", "ok after");
  for (const page of [ada, bob]) await frameIs(page, `new_msg {"name":"Ada","text":"hello","n":1}`);
  await frameIs(ada, `reply ok {"n":1}`);
  await ada.waitForFunction(() => /^[0-9,]+$/.test(document.getElementById("fuel").textContent));

  // A line is changed while both are joined.
  await ask("change");
  await sees(ada, "generation", "generation 2");
  await pushes(ada, "dance", "{}");
  await frameIs(ada, `reply error {"reason":"nobody knows how to dance"}`);
  await pushes(ada, "whoami", "{}");
  await frameIs(ada, `reply ok {"name":"Ada","n":1}`);
  for (const page of [ada, bob]) assert.equal(await joinCount(page), "1", "nobody had to join again");

  // What does not compile is shown, and what was goes on.
  await ask("break");
  await sees(ada, "failed", "too many return values");
  await ada.screenshot({path: join(SHOTS, "playground-failed.png")});
  await pushes(ada, "new_msg", `{"text": "still here"}`);
  await frameIs(bob, `new_msg {"name":"Ada","text":"still here","n":2}`);
  await bob.screenshot({path: join(SHOTS, "playground-dark.png")});
  await ask("repair");
  await at(ada, "failed").waitFor({state: "hidden"});

  // A panic costs one channel, and says where.
  await ask("panic");
  await sees(ada, "generation", "generation 3");
  await pushes(ada, "whoami", "{}");
  await sees(ada, "log", "this is my fault");
  await sees(ada, "log", "main.go:");
  await sees(ada, "log", "whoami");
  await frameIs(ada, "phx_error");
  await sees(ada, "status", "joined"); // again, by itself
  assert.equal(await joinCount(bob), "1", "another channel does not notice");
  await ada.screenshot({path: join(SHOTS, "playground-light.png")});

  await at(bob, "leave").click();
  await sees(bob, "status", "offline");
  await at(ada, "present").filter({hasNotText: "Bob"}).waitFor();
}

const browser = await chromium.launch({executablePath: CHROMIUM, args: ARGS, headless: false});
try {
  await story(browser);
  assert.deepEqual(problems, [], "problems in the tabs");
} catch (error) {
  console.log(`problems: ${JSON.stringify(problems)}`);
  for (const context of browser.contexts()) {
    for (const page of context.pages()) console.log(await page.locator("body").innerText().catch(String));
  }
  throw error;
} finally {
  await browser.close();
}
process.exit(0); // readline still waits for the Go test
