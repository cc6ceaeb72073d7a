// @vitest-environment happy-dom
import { act } from "react";
import { createRoot, type Root } from "react-dom/client";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ErrorBoundary } from "../src/ErrorBoundary";
import { prefer } from "../src/preferences";
import { reloadWhenStale } from "../src/stale-build";
import { SpeechProvider, useWords } from "../src/words";
import { en } from "../src/words/en";
import { pt } from "../src/words/pt";
import "./page";

let root: Root;

beforeEach(() => {
  sessionStorage.clear();
  root = createRoot(document.body.appendChild(document.createElement("div")));
});

afterEach(() => {
  act(() => root.unmount());
  document.body.replaceChildren();
});

function partIsMissing(): Event {
  const event = new Event("vite:preloadError", { cancelable: true });
  window.dispatchEvent(event);
  return event;
}

test("a page whose parts are gone after an update is loaded anew, once", () => {
  const reload = vi.fn();
  const stop = reloadWhenStale(reload);

  expect(partIsMissing().defaultPrevented).toBe(true);
  expect(partIsMissing().defaultPrevented).toBe(false);

  expect(reload).toHaveBeenCalledOnce();
  stop();
});

test("what cannot be shown says so and leaves the rest alone", () => {
  const hush = vi.spyOn(console, "error").mockImplementation(() => {});
  const Broken = () => {
    throw new Error("this message has a shape of tomorrow");
  };

  act(() =>
    root.render(
      <>
        <p>list</p>
        <ErrorBoundary>
          <Broken />
        </ErrorBoundary>
      </>,
    ),
  );

  expect(document.querySelector("p")?.textContent).toBe("list");
  expect(document.querySelector("[data-broken] h2")?.textContent).toBe(pt.broken);
  expect(document.querySelector("[data-broken] button")?.textContent).toBe(pt.retry);
  hush.mockRestore();
});

test("the words of a language come when it is chosen", async () => {
  const Said = () => useWords().retry;
  const render = () =>
    root.render(
      <SpeechProvider>
        <Said />
      </SpeechProvider>,
    );
  prefer({ language: "pt-BR" });
  await act(async () => render());
  expect(document.body.textContent).toBe(pt.retry);

  await act(async () => prefer({ language: "en" }));

  await vi.waitFor(() => expect(document.body.textContent).toBe(en.retry));
  expect(document.documentElement.lang).toBe("en");
});
