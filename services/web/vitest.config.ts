import { defineConfig } from "vitest/config";

export default defineConfig({
  // The client's own sources, whichever environment a test runs in: nothing has to be built before.
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source", "module", "node", "development|production"] } },
  test: {
    include: ["*/tests/**/*.test.{ts,tsx}"],
    environment: "node",
    testTimeout: 5_000,
  },
});
