// Two people in two browser tabs use the demo chat. The Go test e2e_test.go starts
// the server, runs this, and restarts the server when a line "restart" asks for it.
//
// Environment: AVIARY_NODE_MODULES, CHROMIUM, AVIARY_URL (http://127.0.0.1:PORT/),
// AVIARY_SHOTS (directory for screenshots).
import assert from "node:assert/strict";
import {createRequire} from "node:module";
import {join} from "node:path";
import {createInterface} from "node:readline";

const require = createRequire(join(process.env.AVIARY_NODE_MODULES, "chat.js"));
const {chromium} = require("playwright-core");

const {AVIARY_URL: URL_, AVIARY_SHOTS: SHOTS, CHROMIUM} = process.env;
const TIMEOUT = 20_000;
const ARGS = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync"];

// ---- the test's half of the conversation with the Go test
const answers = createInterface({input: process.stdin})[Symbol.asyncIterator]();

async function ask(what) {
  console.log(`@${what}`);
  const {value, done} = await answers.next();
  assert.ok(!done && value === "done", `the Go test answered ${value}`);
}

const everybody = []; // whose tabs are worth a look when a step fails

async function step(name, body) {
  try {
    await body();
    console.log(`ok   ${name}`);
  } catch (error) {
    console.log(`FAIL ${name}`);
    for (const person of everybody) await person.explain();
    throw error;
  }
}

// ---- a person
class Person {
  constructor(name, page) {
    this.name = name;
    this.page = page;
    this.problems = [];
    everybody.push(this);
    page.setDefaultTimeout(TIMEOUT);
    page.on("pageerror", error => this.problems.push(`exception: ${error.message}`));
    page.on("console", message => {
      // A restarted server is a failed WebSocket in the console, and no fault.
      if (message.type() === "error" && !/WebSocket/.test(message.text())) this.problems.push(message.text());
    });
    page.on("response", response => {
      if (response.status() >= 400) this.problems.push(`${response.status()} ${response.url()}`);
    });
  }

  static async open(browser, name, path, options = {}) {
    const context = await browser.newContext({viewport: {width: 1200, height: 800}, ...options});
    const person = new Person(name, await context.newPage());
    await person.page.goto(URL_ + path);
    return person;
  }

  at(testid) { return this.page.getByTestId(testid); }

  // Everything below waits until it is so, or fails after TIMEOUT.
  async sees(testid, text) {
    const found = this.at(testid);
    await (text === undefined ? found : found.filter({hasText: text})).first().waitFor();
  }

  async seesNo(testid) { await this.at(testid).waitFor({state: "detached"}); }

  async isConnected() {
    await this.page.waitForFunction(() => document.querySelector("[data-testid=status]").textContent.trim() === "connected",
      undefined, {timeout: TIMEOUT});
  }

  async isNotConnected() {
    await this.page.waitForFunction(() => document.querySelector("[data-testid=status]").textContent.trim() !== "connected",
      undefined, {timeout: TIMEOUT});
  }

  async says(text) {
    await this.at("composer-input").fill(text);
    await this.at("composer-send").click();
  }

  message(text) {
    return this.at("message").filter({has: this.page.getByTestId("message-text").getByText(text, {exact: true})});
  }

  // Sees one message with this text, by author, that is not waiting any more.
  async reads(author, text) {
    const item = this.message(text);
    await item.first().waitFor();
    await this.page.waitForFunction(text => [...document.querySelectorAll("[data-testid=message]")]
      .some(m => m.querySelector("[data-testid=message-text]").textContent === text && !m.classList.contains("sending")),
    text, {timeout: TIMEOUT});
    assert.equal(await item.count(), 1, `${this.name} sees "${text}" once`);
    assert.equal(await item.getByTestId("message-author").textContent(), author);
  }

  async shot(name) { await this.page.screenshot({path: join(SHOTS, `${name}.png`)}); }

  // Says what the tab looks like after a failure, as far as it is still there.
  async explain() {
    if (this.page.isClosed()) return;
    console.log(`     ${this.name} is "${await this.at("status").textContent({timeout: 1000}).catch(String)}"; problems: ${JSON.stringify(this.problems)}`);
    await this.shot(`failed-${this.name}`).catch(String);
  }

  fine() { assert.deepEqual(this.problems, [], `problems in the tab of ${this.name}`); }
}

// ---- the story
async function meet(browser) {
  const ada = await Person.open(browser, "Ada", "?name=Ada#lobby", {colorScheme: "light"});
  await ada.isConnected();
  await ada.sees("person-Ada");
  await ada.sees("online-count", "1");

  // Grace comes in by the dialog.
  const grace = await Person.open(browser, "Grace", "", {colorScheme: "dark"});
  await grace.sees("name-dialog");
  await grace.at("name-input").fill("Grace");
  await grace.at("name-submit").click();
  await grace.isConnected();
  await grace.at("name-dialog").waitFor({state: "hidden"});

  for (const person of [ada, grace]) {
    await person.sees("person-Ada");
    await person.sees("person-Grace");
    await person.sees("online-count", "2");
  }
  await ada.sees("notice", "Grace");
  return {ada, grace};
}

async function talk(ada, grace) {
  await ada.says("Hello Grace");
  for (const person of [ada, grace]) await person.reads("Ada", "Hello Grace");
  await grace.says("Hello Ada <b>not bold</b> & é 😀");
  for (const person of [ada, grace]) await person.reads("Grace", "Hello Ada <b>not bold</b> & é 😀");
  for (let n = 1; n <= 20; n++) await ada.says(`line ${n}`);
  await grace.reads("Ada", "line 20");
  const texts = await grace.at("message-text").allTextContents();
  assert.deepEqual(texts.slice(2), Array.from({length: 20}, (_, i) => `line ${i + 1}`), "in the order they were sent");
}

async function typing(ada, grace) {
  await grace.at("composer-input").pressSequentially("thinking");
  await ada.sees("typing", "Grace");
  await grace.at("composer-input").fill("");
  await ada.page.waitForFunction(() => !document.querySelector("[data-testid=typing]").textContent.includes("Grace"),
    undefined, {timeout: TIMEOUT});
}

async function pictures(browser, ada, grace) {
  await ada.shot("light");
  await grace.shot("dark");
  const phone = await Person.open(browser, "Mobile", "?name=Mobile#lobby",
    {viewport: {width: 390, height: 844}, deviceScaleFactor: 2, isMobile: true, hasTouch: true});
  await phone.isConnected();
  await phone.says("From my phone");
  await ada.reads("Mobile", "From my phone");
  await phone.shot("mobile");
  const wide = await phone.page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.ok(!wide, "the phone's page scrolls sideways");
  phone.fine();
  await phone.page.context().close();
  await ada.seesNo("person-Mobile");
}

async function rooms(ada, grace) {
  await grace.at("room-link-random").click();
  await grace.isConnected();
  await ada.seesNo("person-Grace");
  await ada.sees("online-count", "1");
  await grace.seesNo("person-Ada");
  await ada.says("Grace cannot read this");
  await ada.reads("Ada", "Grace cannot read this");
  await grace.says("Nobody here");
  await grace.reads("Grace", "Nobody here");
  assert.equal(await ada.message("Nobody here").count(), 0);
  await grace.at("room-link-lobby").click();
  await grace.isConnected();
  for (const person of [ada, grace]) await person.sees("online-count", "2");
  assert.equal(await grace.message("Grace cannot read this").count(), 0);
}

async function restart(ada, grace) {
  const people = [ada, grace];
  await ask("stop");
  for (const person of people) await person.isNotConnected();
  await ask("start");
  for (const person of people) await person.isConnected();
  for (const person of people) {
    await person.sees("person-Ada");
    await person.sees("person-Grace");
    await person.sees("online-count", "2");
  }
  await ada.says("Are you back?");
  for (const person of people) await person.reads("Ada", "Are you back?");
  await grace.says("I am");
  for (const person of people) await person.reads("Grace", "I am");
}

async function goodbye(ada, grace) {
  await grace.page.context().close();
  await ada.seesNo("person-Grace");
  await ada.sees("online-count", "1");
  await ada.sees("notice", "Grace left");
}

const browser = await chromium.launch({executablePath: CHROMIUM, args: ARGS, headless: true});
try {
  let ada, grace;
  await step("two people see each other", async () => ({ada, grace} = await meet(browser)));
  await step("messages go both ways, in order", () => talk(ada, grace));
  await step("typing is shown and goes away", () => typing(ada, grace));
  await step("light, dark and on a phone", () => pictures(browser, ada, grace));
  await step("rooms are apart", () => rooms(ada, grace));
  await step("a server restart: both come back and go on", () => restart(ada, grace));
  await step("a closed tab leaves", () => goodbye(ada, grace));
  await step("no tab had a problem", () => { ada.fine(); grace.fine(); });
} finally {
  await browser.close();
}
process.exit(0); // readline still waits for the Go test
