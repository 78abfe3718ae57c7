// The page around the doctor. What comes from outside is put on it as text; nothing is
// kept, and nothing is asked of anybody.
(async () => {
  "use strict";
  const it = (id) => document.getElementById(id);
  const encoder = new TextEncoder();

  const packed = Uint8Array.from(atob(it("wasm").textContent), (letter) => letter.charCodeAt(0));
  await wasm_bindgen({ module_or_path: packed });

  /** Makes an element with text or elements in it. */
  function element(name, className, ...inside) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...inside);
    return made;
  }

  // A textarea makes LF of every line end. What was pasted or opened is kept beside it,
  // and counts for as long as nobody edits the text.
  let exact = { shown: "", bytes: new Uint8Array(), from: "" };

  function payload() {
    const { value } = it("payload");
    return value === exact.shown ? exact.bytes : encoder.encode(value);
  }

  function keep(bytes, from) {
    const text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
    it("payload").value = text;
    exact = { shown: it("payload").value, bytes, from };
  }

  function note() {
    const { value } = it("payload");
    const kept = value !== "" && value === exact.shown;
    const count = payload().length.toLocaleString("en");
    const from = kept ? `${exact.from}, byte for byte` : "as typed; line ends are LF";
    it("payload-note").textContent = value === "" ? "" : `${count} bytes, ${from}.`;
  }

  const VERDICTS = { valid: "good", out_of_tolerance: "warning", explained: "bad", unexplained: "bad" };

  function findings(diagnosis) {
    const advice = new Set();
    return diagnosis.findings.map((finding) => {
      const article = element(
        "article",
        "finding",
        element("span", `badge ${finding.certainty}`, finding.certainty),
        element("h3", "", finding.title),
        element("p", "soft", finding.detail),
      );
      if (!advice.has(finding.advice)) article.append(element("p", "", finding.advice));
      advice.add(finding.advice);
      return article;
    });
  }

  function facts(diagnosis) {
    const list = element("dl", "");
    const add = (name, text) => list.append(element("dt", "", name), element("dd", "", text));
    add("Scheme", diagnosis.scheme);
    for (const { name, matches } of diagnosis.signatures) {
      add(name, matches ? `matches: ${matches}` : "matches none");
    }
    if (diagnosis.age) add("Signed at", `${diagnosis.age.signed_at}. ${diagnosis.age.says}`);
    const more = diagnosis.complete ? "" : "; there would have been more";
    add("Tried", `${diagnosis.tries.toLocaleString("en")} pairs of payload and key${more}`);
    return [list];
  }

  function difference(found) {
    if (!found) return [];
    const bytes = (text, className) =>
      element("dd", "", element("span", "bytes", found.before, element("mark", className, text)));
    const list = element("dl", "");
    list.append(element("dt", "", "Signed"), bytes(found.signed, "signed"));
    list.append(element("dt", "", "Given"), bytes(found.given, ""));
    return [
      element("h3", "", "The first difference"),
      element(
        "p",
        "soft",
        `Byte ${found.offset.toLocaleString("en")}, line ${found.line}, column ${found.column}; ` +
          `${found.signed_bytes.toLocaleString("en")} bytes were signed, ${found.given_bytes.toLocaleString("en")} given. ` +
          "· is a space, ⟨LF⟩ and ⟨CR⟩ are line ends.",
      ),
      list,
    ];
  }

  function show(diagnosis) {
    const headline = it("headline");
    headline.className = `headline ${VERDICTS[diagnosis?.verdict] ?? ""}`;
    const text = diagnosis?.problem ?? diagnosis?.headline ?? "Give a header, a payload and a secret.";
    // Said again only if it is something else.
    if (headline.textContent !== text) headline.textContent = text;
    const known = diagnosis?.verdict !== undefined;
    it("findings").replaceChildren(...(known ? findings(diagnosis) : []));
    it("facts").replaceChildren(...(known ? facts(diagnosis) : []));
    it("difference").replaceChildren(...(known ? difference(diagnosis.difference) : []));
    const coded = new Set(["raw_body", "decode", "header"]);
    it("fix").hidden = !(known && diagnosis.findings.some(({ remedy }) => coded.has(remedy)));
  }

  function now() {
    const text = it("at").value.trim();
    const asked = text === "" ? Date.now() : Date.parse(text);
    it("at").setAttribute("aria-invalid", String(Number.isNaN(asked)));
    return (Number.isNaN(asked) ? Date.now() : asked) / 1000;
  }

  function look() {
    note();
    const head = it("head").value;
    const own = it("secret").value;
    const others = [...document.querySelectorAll(".other")].map((other) => other.value);
    const bytes = payload();
    const isGiven = head !== "" || bytes.length > 0;
    const hasSecret = [own, ...others].some((secret) => secret !== "");
    if (!isGiven || !hasSecret) return show();
    show(JSON.parse(wasm_bindgen.look(head, bytes, own, others, now())));
  }

  // As much as the doctor reads of a saved request.
  const MOST_BYTES = 16 * 1_048_576;

  let timer;
  function soon() {
    clearTimeout(timer);
    timer = setTimeout(look, 120);
  }

  /** Takes a file: a saved request, or else a payload. */
  async function take(file) {
    // A look at what was typed before would hide what is said of the file.
    clearTimeout(timer);
    if (file.size > MOST_BYTES) return show({ problem: `${file.name} is larger than 16 MiB.` });
    let bytes;
    try {
      bytes = new Uint8Array(await file.arrayBuffer());
    } catch {
      return show({ problem: `${file.name} can’t be read: is it a folder?` });
    }
    const saved = wasm_bindgen.readSaved(bytes);
    if (saved) {
      it("head").value = saved.head;
      keep(saved.payload, `the body of ${file.name}`);
      saved.free();
    } else {
      keep(bytes, file.name);
    }
    look();
  }

  it("payload").addEventListener("paste", (event) => {
    const { value, selectionStart, selectionEnd } = it("payload");
    // Only a text that replaces everything is known whole.
    if (selectionStart !== 0 || selectionEnd !== value.length) return;
    const text = event.clipboardData.getData("text/plain");
    if (text === "") return;
    event.preventDefault();
    keep(encoder.encode(text), "as pasted");
    look();
  });

  it("open").addEventListener("click", () => it("file").click());
  it("file").addEventListener("change", () => {
    const [file] = it("file").files;
    if (file) take(file);
    it("file").value = "";
  });
  for (const name of ["dragover", "drop"]) {
    document.addEventListener(name, (event) => {
      // A text goes where it is dropped.
      if (!event.dataTransfer.types.includes("Files")) return;
      // Else the browser would leave the page for the file.
      event.preventDefault();
      it("drop").classList.toggle("over", name === "dragover");
      const [file] = (name === "drop" && event.dataTransfer.files) || [];
      if (file) take(file);
    });
  }
  document.addEventListener("dragleave", () => it("drop").classList.remove("over"));

  const secrets = () => [it("secret"), ...document.querySelectorAll(".other")];
  it("show").addEventListener("click", () => {
    const shows = it("show").getAttribute("aria-pressed") !== "true";
    it("show").setAttribute("aria-pressed", String(shows));
    for (const secret of secrets()) secret.type = shows ? "text" : "password";
  });

  const MOST_OTHERS = 7;
  it("more").addEventListener("click", () => {
    const number = document.querySelectorAll(".other").length + 1;
    const label = element("label", "", `Secret ${number} of another endpoint`);
    label.htmlFor = `other-${number}`;
    const input = element("input", "other");
    Object.assign(input, {
      id: label.htmlFor,
      type: it("secret").type,
      autocomplete: "off",
      autocapitalize: "off",
      spellcheck: false,
    });
    it("others").append(label, input);
    it("more").hidden = number === MOST_OTHERS;
    input.focus();
  });

  const frameworks = JSON.parse(wasm_bindgen.frameworks());
  it("framework").append(...frameworks.map(({ name }) => element("option", "", name)));
  const code = () => {
    it("code").textContent = frameworks[it("framework").selectedIndex].code;
  };
  it("framework").addEventListener("change", code);
  code();

  document.querySelector("main").addEventListener("input", soon);
  // What a browser filled in again.
  look();
  document.documentElement.dataset.ready = "true";
})();
