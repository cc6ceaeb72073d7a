import { RealtimeError } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { useCallback, useEffect, useState } from "react";

export type Loaded<T> =
  | { state: "loading" }
  | { state: "failed"; error: RealtimeError }
  | { state: "ready"; items: readonly T[] };

/** A list of the REST API, and how to load it again. */
export function useItems<T>(path: string): [Loaded<T>, () => void] {
  const { rest } = useClient();
  const [loaded, setLoaded] = useState<Loaded<T>>({ state: "loading" });
  const load = useCallback(() => {
    rest
      .get<{ items: T[] }>(path)
      .then(({ items }) => setLoaded({ state: "ready", items }))
      .catch((error: RealtimeError) =>
        setLoaded({ state: "failed", error: RealtimeError.of(error) }),
      );
  }, [rest, path]);
  useEffect(load, [load]);
  return [loaded, load];
}
