const { appendFileSync } = require("node:fs");

const core = {
  setOutput(name, value) {
    appendFileSync(process.env.GITHUB_OUTPUT, `${name}<<the-end\n${value}\nthe-end\n`);
  },
  setSecret(value) {
    console.log(`::add-mask::${value}`);
  },
};
const AsyncFunction = (async () => {}).constructor;

new AsyncFunction("core", process.env.INPUT_SCRIPT)(core).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
