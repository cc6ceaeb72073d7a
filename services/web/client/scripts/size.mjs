// What the client costs a page, on top of socket.io-client: under 15 kB gzip (issue, item 7).
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const LIMIT = 15_000;
const outDir = await mkdtemp(join(tmpdir(), "pytake-size-"));
try {
  const built = await build({
    configFile: false,
    logLevel: "error",
    build: {
      outDir,
      minify: true,
      lib: {
        entry: [
          new URL("../src/index.ts", import.meta.url).pathname,
          new URL("../src/react.ts", import.meta.url).pathname,
        ],
        formats: ["es"],
      },
      rolldownOptions: {
        external: ["socket.io-client", "react"],
        // Vite leaves the spaces of a library in; the bundler of a page does not.
        output: { minify: true },
      },
    },
  });
  const bytes = built
    .flatMap(({ output }) => output)
    .reduce((sum, part) => sum + (part.type === "chunk" ? gzipSync(part.code).length : 0), 0);
  console.info(`@pytake/realtime: ${(bytes / 1000).toFixed(1)} kB gzip (limit ${LIMIT / 1000} kB)`);
  if (bytes > LIMIT) process.exitCode = 1;
} finally {
  await rm(outDir, { recursive: true });
}
