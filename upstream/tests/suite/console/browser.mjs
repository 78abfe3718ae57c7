// Walks through the console in a real Chromium. Run by browser.rs, which says
// where everything is; whatever goes wrong ends it with what was seen.
import { createRequire } from "node:module";
import { join } from "node:path";

const { CONSOLE_NODE, CHROMIUM, CONSOLE_URL, CONSOLE_TOKEN, SCREENSHOTS, SERVER_PID } = process.env;
const require = createRequire(join(CONSOLE_NODE, "/"));
const puppeteer = require("puppeteer-core");
const axe = require("axe-core");

const PHONE = { width: 380, height: 800 };
const DESK = { width: 1280, height: 900 };
const EVENT = "/event?id=evt_n00001&source=stripe";

const problems = [];
function check(holds, ...what) {
  if (!holds) problems.push(what.join(" "));
}

/** Notes everything that a person would find in the browser's console. */
function watch(page) {
  page.said = [];
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) page.said.push(message.text());
  });
  page.on("pageerror", (error) => page.said.push(`page error: ${error.message}`));
  page.on("requestfailed", (request) => {
    // A page that is left ends what it had asked for.
    const { errorText } = request.failure() ?? {};
    if (errorText !== "net::ERR_ABORTED") page.said.push(`${request.url()}: ${errorText}`);
  });
}

async function open(browser, { viewport = DESK, script = true, scheme = "light" } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  await page.setJavaScriptEnabled(script);
  page.setDefaultTimeout(30_000);
  watch(page);
  return page;
}

const go = (page, path) => page.goto(CONSOLE_URL + path, { waitUntil: "load" });
const text = (page, selector = "main") => page.$eval(selector, (it) => it.innerText);

/** Does something that leads to another page, and waits for that. */
async function leads(page, act) {
  await Promise.all([page.waitForNavigation({ waitUntil: "load" }), act()]);
}

async function logIn(page) {
  await go(page, "/login");
  await page.type("#token", CONSOLE_TOKEN);
  await leads(page, () => page.click("button.main"));
}

async function says(page, wanted, selector) {
  const found = await text(page, selector);
  check(found.includes(wanted), `${page.url()}: no «${wanted}» in:`, found);
}

/** Asks what would become of what a page's form is about. */
async function preview(page, decision, reason) {
  await page.click(`input[name=decision][value=${decision}]`);
  await page.type("#reason", reason);
  await leads(page, () => page.click("form[action='/review/preview'] button.main"));
}

const scenarios = {
  /** "Payments are late": to the parked events of the failing destination. */
  async clicks(browser) {
    const page = await open(browser);
    await go(page, "/");
    let clicks = 0;
    const click = async (selector) => {
      clicks += 1;
      await leads(page, () => page.click(selector));
    };
    await says(page, "refused 422", "#live");
    await click("#live tbody tr:first-child th a");
    await says(page, "Parked here");
    await says(page, "evt_n00001");
    await click("section[aria-labelledby=parked] tbody tr:first-child th a");
    await says(page, "Parked at orders");
    await says(page, "unknown currency");
    check(clicks <= 3, `${clicks} clicks`);
    return [page];
  },

  async decisions(browser) {
    const page = await open(browser);
    await logIn(page);
    await says(page, "ada", "header");
    await go(page, EVENT);
    await preview(page, "approve", "INC-7: mended");
    await says(page, "Nothing has been changed yet. 1 goes out again.");
    // As hands do it that are used to double clicks.
    await leads(page, () => page.click("form[action='/review/decide'] button.main", { count: 2 }));
    await says(page, "On record as batch_");
    await go(page, "/review?type=invoice.*");
    await preview(page, "discard", "a test of ours");
    await leads(page, () => page.click("form[action='/review/decide'] button.main"));
    await says(page, "Done.");
    await says(page, "discarded");
    await go(page, "/event?id=evt_n00002&source=stripe");
    await says(page, "•••");
    await page.type("#look-reason", "INC-7");
    await leads(page, () => page.click("form[action='/event/payload'] button"));
    await says(page, "This look is on record.");
    await go(page, "/audit");
    for (const word of ["released", "discarded", "looked"]) await says(page, word);
    return [page];
  },

  /** Each page on a phone and at a desk, light and dark, before the eyes of axe. */
  async pages(browser) {
    const opened = [];
    for (const scheme of ["light", "dark"]) {
      for (const viewport of [PHONE, DESK]) {
        const page = await open(browser, { viewport, scheme });
        opened.push(page);
        await go(page, "/login");
        await look(page, "login");
        await logIn(page);
        for (const path of PATHS) {
          await go(page, path);
          await look(page, `${path} ${scheme} ${viewport.width}`);
        }
        await go(page, EVENT);
        await preview(page, "approve", "mended");
        await look(page, `preview ${scheme} ${viewport.width}`);
        await go(page, EVENT);
        await page.type("#look-reason", "INC-7");
        await leads(page, () => page.click("form[action='/event/payload'] button"));
        await look(page, `payload ${scheme} ${viewport.width}`);
        // Chromium reports an answer of 404 itself.
        const said = page.said.length;
        await go(page, "/nothing");
        await look(page, `problem ${scheme} ${viewport.width}`);
        page.said.length = said;
      }
    }
    return opened;
  },

  /** Reading and deciding without a script. */
  async scriptless(browser) {
    const page = await open(browser, { script: false });
    // Without scripts nothing can be asked of the page but its text.
    const has = async (wanted) => {
      const found = await page.content();
      check(found.includes(wanted), `${page.url()}: no «${wanted}»`);
    };
    await go(page, "/");
    await has("refused 422");
    await leads(page, () => page.click("#live tbody tr:first-child th a"));
    await has("Parked here");
    await leads(page, () => page.click("section[aria-labelledby=parked] tbody tr:first-child th a"));
    await has("Parked at orders");
    await go(page, "/search");
    await page.type("#type", "invoice.*");
    await leads(page, () => page.click("form[action='/search'] button"));
    await has("evt_n00001");
    await logIn(page);
    await go(page, EVENT);
    await preview(page, "approve", "mended");
    await leads(page, () => page.click("form[action='/review/decide'] button.main"));
    await has("Done.");
    return [page];
  },

  /** The whole way without a mouse. */
  async keyboard(browser) {
    const page = await open(browser);
    const focused = () =>
      page.evaluate(() => {
        const it = document.activeElement;
        const { outlineStyle, outlineWidth } = getComputedStyle(it);
        return { text: it.innerText, id: it.id, name: it.name, value: it.value, outlineStyle, outlineWidth };
      });
    const tabTo = async (what, isIt) => {
      for (let count = 0; count < 80; count += 1) {
        await page.keyboard.press("Tab");
        const it = await focused();
        check(it.outlineStyle !== "none" && it.outlineWidth !== "0px", "no focus is seen at", it.text || it.name);
        if (isIt(it)) return;
      }
      throw new Error(`no Tab leads to ${what} on ${page.url()}`);
    };
    const enter = () => leads(page, () => page.keyboard.press("Enter"));
    await go(page, "/login");
    await tabTo("the token", (it) => it.id === "token");
    await page.keyboard.type(CONSOLE_TOKEN);
    await enter();
    await page.keyboard.press("Tab");
    check((await focused()).text === "Skip to the content", "the first Tab skips nothing");
    await page.keyboard.press("Enter");
    check((await focused()).id === "content", "the skip link leads nowhere");
    await tabTo("the destination", (it) => it.text === "orders");
    await enter();
    await tabTo("an event", (it) => it.text?.startsWith("evt_n"));
    await enter();
    await tabTo("the decision", (it) => it.name === "decision");
    await page.keyboard.press("Space");
    await tabTo("the reason", (it) => it.id === "reason");
    await page.keyboard.type("mended");
    await enter();
    await tabTo("the confirmation", (it) => it.text === "Deliver 1 event again");
    await enter();
    await says(page, "Done. 1 goes out again.");
    return [page];
  },

  /** What changes is seen without a new page, and not while it is paused. */
  async live(browser) {
    const overview = await open(browser);
    await go(overview, "/");
    await overview.evaluate(() => { window.mark = "the same page"; });
    const parked = /(\d+) parked/;
    const count = async () => Number((await text(overview, "#live .tiles")).match(parked)[1]);
    const before = await count();
    const page = await open(browser);
    await logIn(page);
    await go(page, EVENT);
    await preview(page, "discard", "a test");
    await leads(page, () => page.click("form[action='/review/decide'] button.main"));
    await overview.bringToFront();
    // A mouse that rests on the page holds nothing up.
    await overview.hover("#live .tiles .name");
    await overview.waitForFunction(
      (wanted) => document.getElementById("said").textContent.includes(`${wanted} event`),
      {},
      before - 1,
    );
    check((await count()) === before - 1, "the overview counts otherwise");
    check((await overview.evaluate(() => window.mark)) === "the same page", "the page was loaded anew");
    await overview.focus("#live tbody a");
    await overview.waitForFunction(() => document.getElementById("held").textContent.includes("not renewed while"));
    await overview.click("#pause");
    check((await text(overview, "#pause")) === "Go on updating", "nothing says that it is paused");
    return [overview, page];
  },

  /** A page that nobody answers any more doesn't stay green. */
  async died(browser) {
    const page = await open(browser);
    await go(page, "/");
    await says(page, "As of ", "#live");
    check((await text(page, "#stale")) === "", "a page that is up to date says otherwise");
    process.kill(Number(SERVER_PID), "SIGKILL");
    await page.waitForFunction(() => document.getElementById("stale").textContent !== "");
    const said = await text(page, "#stale");
    check(/^Not up to date since \d\d:\d\d UTC: the server doesn't answer\.$/.test(said), said);
    check((await page.$eval("#stale", (it) => it.role)) === "status", "no screen reader hears of it");
    // Chromium reports each request that failed.
    page.said.length = 0;
    return [page];
  },

  async ended(browser) {
    const page = await open(browser);
    await logIn(page);
    const other = await page.browserContext().newPage();
    await go(other, "/");
    await leads(other, () => other.click("form[action='/logout'] button"));
    await page.bringToFront();
    await page.waitForSelector("#stale a");
    const said = await text(page, "#stale");
    check(/^Not up to date since \d\d:\d\d UTC: your session has ended\. Log in again$/.test(said), said);
    await leads(page, () => page.click("#stale a"));
    await says(page, "Your token");
    page.said.length = 0;
    return [page];
  },

  /** A pager's or a chat's link is of another site. */
  async linked(browser) {
    const page = await open(browser);
    await logIn(page);
    const address = new URL(EVENT, CONSOLE_URL).href.replaceAll("&", "&amp;");
    await page.goto(`data:text/html,${encodeURIComponent(`<a href="${address}">late</a>`)}`);
    await leads(page, () => page.click("a"));
    await says(page, "Parked at orders");
    return [page];
  },

  async screenshots(browser) {
    const shots = [
      ["overview", "/", "light", DESK],
      ["overview-phone", "/", "dark", PHONE],
      ["destination", "/destination?name=orders", "light", DESK],
      ["event", EVENT, "dark", DESK],
      ["review", "/review", "light", DESK],
    ];
    const opened = [];
    for (const [name, path, scheme, viewport] of shots) {
      const page = await open(browser, { scheme, viewport });
      opened.push(page);
      await logIn(page);
      await go(page, path);
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    }
    for (const [name, scheme, viewport] of [["week", "light", DESK], ["week-phone", "dark", PHONE]]) {
      const page = await open(browser, { scheme, viewport });
      opened.push(page);
      await logIn(page);
      await go(page, "/");
      const week = await page.$("section[aria-labelledby=week]");
      await week.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    }
    return opened;
  },
};

const PATHS = [
  "/",
  "/review",
  "/review?destination=orders&type=invoice.*",
  "/destination?name=orders",
  EVENT,
  "/search",
  "/search?type=nothing.*",
  "/reconciliation",
  "/audit",
];

/** Nothing sticks out, everything can be hit, and axe finds nothing serious. */
async function look(page, name) {
  const layout = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const controls = "button, .button, select, input:not([type=hidden]):not([type=radio]), nav a, label.choice";
    const small = [...document.querySelectorAll(controls)]
      .filter((it) => it.checkVisibility() && !it.closest(".skip"))
      .map((it) => [it, it.getBoundingClientRect()])
      .filter(([, { height }]) => height < 44)
      .map(([it, { height }]) => `${it.outerHTML.slice(0, 80)} (${height})`);
    const wide = [...document.querySelectorAll("main *")]
      .filter((it) => it.scrollWidth > it.clientWidth + 1 && getComputedStyle(it).overflowX !== "visible" && it.tagName !== "INPUT")
      .filter((it) => it.tagName !== "PRE" && it.tagName !== "CAPTION" && !it.matches(".visually-hidden, thead, thead *"))
      .map((it) => it.outerHTML.slice(0, 80));
    return { scrollWidth, clientWidth, small, wide };
  });
  check(layout.scrollWidth <= layout.clientWidth, `${name}: ${layout.scrollWidth} px wide`);
  check(layout.small.length === 0, `${name}: too small: ${layout.small.join("; ")}`);
  if (layout.clientWidth <= 400) check(layout.wide.length === 0, `${name}: scrolls: ${layout.wide.join("; ")}`);
  // What axe does to a page is not of the page.
  const said = page.said.length;
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
  page.said.length = said;
  check(passes.length > 10, `${name}: axe looked at nothing`);
  for (const { id, impact, nodes } of violations) {
    if (["serious", "critical"].includes(impact)) {
      check(false, `${name}: axe: ${id} (${impact}): ${nodes.map((it) => it.html).join("; ")}`);
    }
  }
}

const browser = await puppeteer.launch({
  executablePath: CHROMIUM,
  // In a container there is neither a user for the sandbox nor room in /dev/shm.
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"],
});
try {
  const pages = await scenarios[process.argv[2]](browser);
  for (const page of pages) check(page.said.length === 0, `${page.url()}: the browser says`, ...page.said);
} catch (error) {
  problems.push(error.stack);
} finally {
  await browser.close();
}
if (problems.length > 0) {
  console.error(problems.join("\n"));
  process.exit(1);
}
