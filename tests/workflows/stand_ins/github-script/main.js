const { appendFileSync } = require("node:fs");

const core = {
  exportVariable(name, value) {
    appendFileSync(process.env.GITHUB_ENV, `${name}<<the-end\n${value}\nthe-end\n`);
  },
};
const AsyncFunction = (async () => {}).constructor;

new AsyncFunction("core", process.env.INPUT_SCRIPT)(core).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
