"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  all("[data-live]").forEach((part) => { part.hidden = false; });

  // Copying: a page opened from a disk may lack the clipboard, so the text is selected where that fails.
  const select = (node) => {
    const range = document.createRange();
    range.selectNodeContents(node);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    return document.execCommand("copy");
  };
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    if (!button) return;
    const code = button.previousElementSibling;
    let copied = true;
    try {
      await navigator.clipboard.writeText(code.textContent);
    } catch {
      copied = select(code);
    }
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  });

  // Sorting: by data-v where a cell has it, else by its text; numbers as numbers, the largest first.
  const words = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });
  const value = (row, at) => {
    const cell = row.cells[at];
    return cell.dataset.v ?? cell.textContent.trim().replaceAll(",", "").replace(/\s*%$/, "");
  };
  const sort = (table, at, head) => {
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => [row, value(row, at)]);
    const numbers = rows.every(([, text]) => text === "" || !Number.isNaN(Number(text)));
    const now = head.getAttribute("aria-sort");
    const down = now ? now === "ascending" : numbers;
    const order = numbers ? (a, b) => Number(a[1]) - Number(b[1]) : (a, b) => words.compare(a[1], b[1]);
    rows.sort(down ? (a, b) => order(b, a) : order);
    all("th", table.tHead).forEach((each) => each.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    body.append(...rows.map(([row]) => row));
  };
  all("table[data-sort]").forEach((table) => {
    [...table.tHead.rows[0].cells].forEach((head, at) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      button.addEventListener("click", () => sort(table, at, head));
      head.append(button);
    });
  });

  // Searching: every word must occur in the row; a select narrows to one split.
  all("[data-search]").forEach((tools) => {
    const target = document.getElementById(tools.dataset.search);
    const items = all("tbody tr, :scope > li", target);
    const texts = items.map((item) => item.textContent.toLowerCase());
    const [input, choice, said] = ["input", "select", "output"].map((name) => tools.querySelector(name));
    const search = () => {
      const wanted = input.value.toLowerCase().split(/\s+/).filter(Boolean);
      const split = choice ? choice.value : "";
      let shown = 0;
      items.forEach((item, at) => {
        const fits = wanted.every((word) => texts[at].includes(word)) && (!split || item.dataset.split === split);
        item.hidden = !fits;
        shown += fits;
      });
      said.textContent = `${shown.toLocaleString("en")} of ${items.length.toLocaleString("en")}`;
    };
    tools.addEventListener("input", search);
    search();
  });
})();
