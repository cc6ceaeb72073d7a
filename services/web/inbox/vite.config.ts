import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

const backend = "http://127.0.0.1:8000";

/** Agents open the page on slow lines, too: what grows beyond this must be split. */
const LARGEST_CHUNK_BYTES = 300_000;

const smallChunks: Plugin = {
  name: "small-chunks",
  generateBundle(_options, bundle) {
    for (const chunk of Object.values(bundle)) {
      if (chunk.type !== "chunk" || chunk.code.length <= LARGEST_CHUNK_BYTES) continue;
      this.error(
        `${chunk.fileName} has ${chunk.code.length} bytes, at most ${LARGEST_CHUNK_BYTES}`,
      );
    }
  },
};

export default defineConfig({
  plugins: [react(), smallChunks],
  // The client's own sources: one build, no stale copy.
  resolve: { conditions: ["source", "module", "browser", "development|production"] },
  build: {
    target: "es2022",
    // Our content security policy allows no data: addresses for scripts and styles.
    assetsInlineLimit: 0,
    // One sheet, in the order of the imports: no part is ever shown before its styles.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    // What changes with no release of ours stays in the caches of browsers.
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "react", test: /node_modules\/(react|react-dom|scheduler)\// },
            { name: "menus", test: /node_modules\/(@ariakit|@floating-ui)\// },
          ],
        },
      },
    },
  },
  server: {
    proxy: {
      "/api": backend,
      "/socket.io": { target: backend, ws: true },
    },
  },
});
