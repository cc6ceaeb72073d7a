import "@fontsource-variable/inter/index.css";
import "./styles/tokens.css";
import "./styles/base.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { App } from "./App";
import { ErrorBoundary } from "./ErrorBoundary";
import { followTheme, preferences } from "./preferences";
import { reloadWhenStale } from "./stale-build";
import { loadWords, SpeechProvider } from "./words";

followTheme();
reloadWhenStale();
await loadWords(preferences().language);

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <SpeechProvider>
        <ErrorBoundary>
          <App />
        </ErrorBoundary>
      </SpeechProvider>
    </StrictMode>,
  );
}
