import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source"] },
  test: {
    include: ["*/tests/**/*.test.{ts,tsx}"],
    environment: "node",
    testTimeout: 5_000,
  },
});
