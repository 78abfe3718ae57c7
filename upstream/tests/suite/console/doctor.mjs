// Walks through the signature doctor's page in a real Chromium. Run by doctor.rs, which
// says where everything is; whatever goes wrong ends it with what was seen.
import { createHmac } from "node:crypto";
import { mkdtempSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const { CONSOLE_NODE, CHROMIUM, DOCTOR_URL, SCREENSHOTS } = process.env;
const require = createRequire(join(CONSOLE_NODE, "/"));
const puppeteer = require("puppeteer-core");
const axe = require("axe-core");

const PHONE = { width: 380, height: 800 };
const DESK = { width: 1180, height: 860 };
const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const EVENT = {
  id: "evt_1TestDoctor000000000001",
  object: "event",
  created: 1_760_000_000,
  data: { object: { id: "po_1", object: "payout", amount: 10_000, metadata: {} } },
  livemode: false,
  type: "payout.paid",
};
const SENT = JSON.stringify(EVENT, null, 2);
const COMPACT = JSON.stringify(EVENT);

const problems = [];
function check(holds, ...what) {
  if (!holds) problems.push(what.join(" "));
}

function sign(payload, at = Math.floor(Date.now() / 1000)) {
  const digest = createHmac("sha256", SECRET).update(`${at}.`).update(payload).digest("hex");
  return `t=${at},v1=${digest}`;
}

/** Opens the page and watches everything that it asks of the network. */
async function open(browser, { viewport = DESK, scheme = "light" } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: scheme }]);
  page.setDefaultTimeout(30_000);
  page.asked = [];
  page.said = [];
  const devtools = await page.createCDPSession();
  await devtools.send("Network.enable");
  devtools.on("Network.requestWillBeSent", ({ request }) => {
    // Its icon is in the page.
    if (!request.url.startsWith("data:")) page.asked.push(request.url);
  });
  devtools.on("Network.webSocketCreated", ({ url }) => page.asked.push(url));
  page.on("console", (message) => {
    if (["error", "warn"].includes(message.type())) page.said.push(message.text());
  });
  page.on("pageerror", (error) => page.said.push(`page error: ${error.message}`));
  await page.goto(DOCTOR_URL, { waitUntil: "load" });
  await page.waitForSelector("html[data-ready]");
  return page;
}

const text = (page, selector) => page.$eval(selector, (it) => it.innerText);

async function says(page, wanted, selector = "#diagnosis") {
  try {
    await page.waitForFunction(
      (selector, wanted) => document.querySelector(selector).innerText.includes(wanted),
      { timeout: 10_000 },
      selector,
      wanted,
    );
  } catch {
    check(false, `no «${wanted}» in:`, await text(page, selector));
  }
}

/** Puts a text in as a paste does. */
async function paste(page, selector, text) {
  await page.$eval(
    selector,
    (it, text) => {
      it.focus();
      it.select();
      const data = new DataTransfer();
      data.setData("text/plain", text);
      const event = new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true });
      if (!it.dispatchEvent(event)) return;
      it.value = text;
      it.dispatchEvent(new Event("input", { bubbles: true }));
    },
    text,
  );
}

async function give(page, { head, payload, secret = SECRET }) {
  await paste(page, "#head", head);
  await paste(page, "#payload", payload);
  await paste(page, "#secret", secret);
}

function file(name, content) {
  const path = join(mkdtempSync(join(tmpdir(), "doctor-")), name);
  writeFileSync(path, content);
  return path;
}

async function upload(page, path) {
  const input = await page.$("#file");
  await input.uploadFile(path);
}

const scenarios = {
  /** What is broken is named while it is put in, and what is whole is valid. */
  async diagnoses(browser) {
    const page = await open(browser);
    await give(page, { head: sign(SENT), payload: COMPACT });
    await says(page, "this is why", "#headline");
    await says(page, "The payload was re-serialised", "#findings");
    await says(page, "v1 number 1");
    await says(page, "The first difference", "#difference");
    await page.select("#framework", "Rails");
    await says(page, "request.raw_post", "#fix");
    await paste(page, "#payload", SENT);
    await says(page, "The signature is valid", "#headline");
    check((await text(page, "#findings")) === "", "a valid one has findings");
    await paste(page, "#secret", `"${SECRET}"`);
    await says(page, "Quotes stand around the secret", "#findings");
    await page.click("#more");
    await paste(page, "#other-1", SECRET);
    await paste(page, "#secret", "whsec_other");
    await says(page, "secret of another endpoint", "#findings");
    // Line ends are those that were pasted, whatever a textarea makes of them.
    const lines = SENT.replaceAll("\n", "\r\n");
    await give(page, { head: sign(lines), payload: lines });
    await says(page, "The signature is valid", "#headline");
    // As of when it arrived.
    await give(page, { head: sign(SENT, 1_760_000_010), payload: SENT });
    await says(page, "out of tolerance", "#headline");
    await paste(page, "#at", "2025-10-09T08:54:00Z");
    await says(page, "The signature is valid", "#headline");
    const types = await page.$$eval("#secret, .other", (all) => all.map((it) => it.type));
    check(types.every((type) => type === "password"), "a secret can be read");
    check(!(await page.$eval("#diagnosis", (it) => it.textContent)).includes(SECRET.slice(6)), "it shows the secret");
    return [page];
  },

  /** A saved request, and a payload byte for byte. */
  async files(browser) {
    const page = await open(browser);
    await paste(page, "#secret", SECRET);
    const lines = SENT.replaceAll("\n", "\r\n");
    const message = `POST /webhooks HTTP/1.1\r\nHost: a.example\r\nStripe-Signature: ${sign(lines)}\r\n\r\n${lines}`;
    await upload(page, file("request.txt", message));
    await says(page, "The signature is valid", "#headline");
    await says(page, "the body of request.txt, byte for byte", "#payload-note");
    await upload(page, file("payload.json", `\ufeff${SENT}`));
    await paste(page, "#head", sign(SENT));
    await says(page, "A byte order mark", "#findings");
    await says(page, "⟨BOM⟩", "#difference");
    // The same, dropped.
    const event = JSON.stringify({
      headers: { "Stripe-Signature": sign(SENT) },
      body: Buffer.from(SENT).toString("base64"),
      isBase64Encoded: true,
    });
    await page.evaluate((content) => {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([content], "event.json"));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    }, event);
    await says(page, "the body of event.json", "#payload-note");
    await says(page, "The signature is valid", "#headline");
    const isTaken = await page.evaluate(() => {
      const dataTransfer = new DataTransfer();
      dataTransfer.setData("text/plain", "a text");
      return !document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    });
    check(!isTaken, "a text can't be dropped where it belongs");
    // As a folder.
    await page.evaluate(() => {
      Blob.prototype.arrayBuffer = () => Promise.reject(new DOMException("not found", "NotFoundError"));
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([""], "folder"));
      document.body.dispatchEvent(new DragEvent("drop", { dataTransfer, bubbles: true, cancelable: true }));
    });
    await says(page, "folder can’t be read", "#headline");
    return [page];
  },

  /** Nothing leaves the browser, also if the page wanted to, and nothing stays. */
  async closed(browser) {
    let reached = 0;
    const server = createServer((_, response) => {
      reached += 1;
      response.setHeader("access-control-allow-origin", "*");
      response.end("{}");
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    const url = `http://127.0.0.1:${server.address().port}/?secret`;
    const page = await open(browser);
    await give(page, { head: sign(SENT), payload: COMPACT });
    await says(page, "re-serialised", "#findings");
    check(page.asked.length === 1 && page.asked[0] === DOCTOR_URL, "it asked for", ...page.asked);
    check(page.said.length === 0, "the browser says", ...page.said);
    const outcomes = await page.evaluate(async (url) => {
      const refused = (promise) => promise.then(() => "reached", () => "refused");
      const element = (name, attributes) =>
        refused(
          new Promise((resolve, reject) => {
            const made = Object.assign(document.createElement(name), attributes);
            made.onload = resolve;
            made.onerror = reject;
            document.body.append(made);
          }),
        );
      const form = document.createElement("form");
      Object.assign(form, { action: url, method: "post" });
      document.body.append(form);
      const violated = new Promise((resolve) => {
        document.addEventListener("securitypolicyviolation", ({ effectiveDirective }) => {
          if (effectiveDirective === "form-action") resolve("refused");
        });
      });
      form.submit();
      return {
        form: await violated,
        fetch: await refused(fetch(url)),
        image: await element("img", { src: url }),
        script: await element("script", { src: url }),
        style: await element("link", { rel: "stylesheet", href: url }),
        socket: await refused(
          new Promise((resolve, reject) => {
            try {
              const socket = new WebSocket(url.replace("http", "ws"));
              socket.onopen = resolve;
              socket.onerror = reject;
            } catch (error) {
              reject(error);
            }
          }),
        ),
        evaluated: (() => {
          try {
            return window.eval("'reached'");
          } catch {
            return "refused";
          }
        })(),
      };
    }, url);
    for (const [way, outcome] of Object.entries(outcomes)) check(outcome === "refused", `${way}: ${outcome}`);
    check(reached === 0, `${reached} requests got out`);
    const kept = await page.evaluate(() => {
      const stored = () => {
        try {
          return localStorage.length + sessionStorage.length + document.cookie.length;
        } catch {
          return 0;
        }
      };
      return stored();
    });
    check(kept === 0, `${kept} things are kept`);
    await page.reload({ waitUntil: "load" });
    await page.waitForSelector("html[data-ready]");
    const values = await page.$$eval("input, textarea", (all) => all.map((it) => it.value).join(""));
    check(values === "", "it still has", values);
    server.close();
    page.said.length = 0;
    return [page];
  },

  /** A phone and a desk, light and dark, before the eyes of axe. */
  async pages(browser) {
    const opened = [];
    for (const scheme of ["light", "dark"]) {
      for (const viewport of [PHONE, DESK]) {
        const page = await open(browser, { viewport, scheme });
        opened.push(page);
        const name = `${scheme} ${viewport.width}`;
        await looks(page, `empty ${name}`);
        await give(page, { head: sign(SENT), payload: COMPACT });
        await says(page, "re-serialised", "#findings");
        await looks(page, `explained ${name}`);
        await paste(page, "#payload", SENT);
        await says(page, "The signature is valid", "#headline");
        await looks(page, `valid ${name}`);
        await paste(page, "#payload", SENT.slice(0, 60));
        await says(page, "likely", "#findings");
        await looks(page, `likely ${name}`);
      }
    }
    return opened;
  },

  /** The whole way without a mouse. */
  async keyboard(browser) {
    const page = await open(browser);
    const focused = () =>
      page.evaluate(() => {
        const { id, innerText } = document.activeElement;
        const { outlineStyle } = getComputedStyle(document.activeElement);
        return { id, innerText, outlineStyle };
      });
    const tabTo = async (id) => {
      for (let count = 0; count < 20; count += 1) {
        await page.keyboard.press("Tab");
        const it = await focused();
        check(it.outlineStyle !== "none", "no focus is seen at", it.id || it.innerText);
        if (it.id === id) return;
      }
      throw new Error(`no Tab leads to ${id}`);
    };
    await page.keyboard.press("Tab");
    check((await focused()).innerText === "Skip to the diagnosis", "the first Tab skips nothing");
    await tabTo("head");
    await page.keyboard.sendCharacter(sign(SENT));
    await tabTo("payload");
    await page.keyboard.sendCharacter(COMPACT);
    await tabTo("secret");
    await page.keyboard.sendCharacter(SECRET);
    await says(page, "re-serialised", "#findings");
    await tabTo("show");
    await page.keyboard.press("Space");
    check((await page.$eval("#secret", (it) => it.type)) === "text", "the secret can't be shown");
    await tabTo("more");
    await page.keyboard.press("Enter");
    check((await focused()).id === "other-1", "the new field isn't where the focus is");
    await tabTo("framework");
    await page.keyboard.press("ArrowDown");
    await says(page, "app/api/webhooks/stripe/route.ts", "#code");
    return [page];
  },

  async screenshots(browser) {
    const shots = [
      ["explained", "light", DESK],
      ["explained-dark", "dark", DESK],
      ["phone", "light", PHONE],
    ];
    const opened = [];
    for (const [name, scheme, viewport] of shots) {
      const page = await open(browser, { scheme, viewport });
      opened.push(page);
      await give(page, { head: sign(SENT), payload: COMPACT });
      await says(page, "re-serialised", "#findings");
      await page.evaluate(() => document.activeElement.blur());
      if (viewport === PHONE) await page.$eval("#diagnosis", (it) => it.scrollIntoView());
      else await page.evaluate(() => window.scrollTo(0, 0));
      await page.screenshot({ path: join(SCREENSHOTS, `${name}.png`) });
    }
    return opened;
  },
};

/** Nothing sticks out, everything can be hit, and axe finds nothing serious. */
async function looks(page, name) {
  const layout = await page.evaluate(() => {
    const { scrollWidth, clientWidth } = document.documentElement;
    const small = [...document.querySelectorAll("button, select, input, textarea")]
      .filter((it) => it.checkVisibility() && !it.matches(".visually-hidden"))
      .filter((it) => it.getBoundingClientRect().height < 44)
      .map((it) => it.id);
    return { scrollWidth, clientWidth, small };
  });
  check(layout.scrollWidth <= layout.clientWidth, `${name}: ${layout.scrollWidth} px wide`);
  check(layout.small.length === 0, `${name}: too small: ${layout.small.join(", ")}`);
  await page.evaluate(axe.source);
  const { violations, passes } = await page.evaluate(() => window.axe.run());
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
