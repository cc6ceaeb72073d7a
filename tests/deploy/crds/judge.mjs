/* Reads objects as JSON from standard input and prints, as JSON, why each is refused (null: it is not).

Two judges. The validators of the models know required fields, types and enumerations, and let unknown
fields pass. TypeScript refuses unknown fields in a literal. */

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const HERE = dirname(fileURLToPath(import.meta.url));
const PACKAGES = {
  "external-secrets.io": "external-secrets",
  "gateway.networking.k8s.io": "gateway-api",
  "keda.sh": "keda",
  "monitoring.coreos.com": "prometheus-operator",
};

function moduleOf({ apiVersion, kind }) {
  const [group, version] = apiVersion.split("/");
  const name = PACKAGES[group];
  if (name === undefined) throw new Error(`no model of ${apiVersion} ${kind}`);
  return `@kubernetes-models/${name}/${group}/${version}/${kind}`;
}

async function validated(object) {
  const { [object.kind]: Model } = await import(moduleOf(object));
  try {
    new Model(object).validate();
    return null;
  } catch (error) {
    return String(error.message);
  }
}

/** What the compiler says of each object, written down as a literal in a file of its own. */
function compiled(objects) {
  const folder = mkdtempSync(join(HERE, ".judged-"));
  try {
    const files = objects.map((object, index) => {
      const file = join(folder, `${index}.ts`);
      const literal = JSON.stringify(object, null, 2);
      writeFileSync(file, `import type { I${object.kind} } from "${moduleOf(object)}";\nexport const it: I${object.kind} = ${literal};\n`);
      return file;
    });
    const program = ts.createProgram(files, {
      module: ts.ModuleKind.NodeNext,
      moduleResolution: ts.ModuleResolutionKind.NodeNext,
      noEmit: true,
      skipLibCheck: true,
      strict: true,
      types: [],
    });
    return files.map((file) => {
      const found = ts.getPreEmitDiagnostics(program, program.getSourceFile(file));
      return found.length ? found.map((one) => ts.flattenDiagnosticMessageText(one.messageText, "\n")).join("\n") : null;
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

let text = "";
for await (const part of process.stdin) text += part;
const objects = JSON.parse(text);
const types = compiled(objects);
const verdicts = [];
for (const [index, object] of objects.entries()) {
  verdicts.push([await validated(object), types[index]].filter(Boolean).join("\n") || null);
}
process.stdout.write(JSON.stringify(verdicts));
