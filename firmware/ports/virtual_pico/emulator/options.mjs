// The command line: --name value, and --name alone for a switch.

const SWITCHES = new Set(["feed", "free"]);

/** {name: value} of the words of a command line; throws on what is no option. */
export function parse(words) {
  const found = {};
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (!word.startsWith("--")) {
      throw new Error(`expected an option --name, got ${word}`);
    }
    const name = word.slice(2);
    found[name] = SWITCHES.has(name) ? true : words[++i];
    if (found[name] === undefined) {
      throw new Error(`expected a value behind ${word}, got none`);
    }
  }
  return found;
}

/** The numbers among the options, each with its default. */
export function numbers(found, defaults) {
  const out = {};
  for (const [name, value] of Object.entries(defaults)) {
    out[name] = name in found ? Number(found[name]) : value;
    if (!Number.isInteger(out[name])) {
      throw new Error(`--${name}: expected a whole number, got ${found[name]}`);
    }
  }
  return out;
}
