import type { UserBody } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import {
  createContext,
  type ReactNode,
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useState,
} from "react";

export interface Person extends UserBody {
  online?: boolean;
  active?: boolean;
}

interface People {
  all: readonly Person[];
  byId: ReadonlyMap<string, Person>;
  reload: () => void;
}

const PeopleContext = createContext<People>({ all: [], byId: new Map(), reload: () => {} });

/** The colleagues of the organization, for names; loaded once and when somebody asks. */
export function PeopleProvider({ children }: { children: ReactNode }) {
  const { rest } = useClient();
  const [all, setAll] = useState<readonly Person[]>([]);
  const reload = useCallback(() => {
    rest
      .get<{ items: Person[] }>("/users")
      .then((page) => setAll(page.items))
      .catch(() => undefined);
  }, [rest]);
  useEffect(reload, [reload]);
  const people = useMemo(
    () => ({ all, byId: new Map(all.map((person) => [person.id, person])), reload }),
    [all, reload],
  );
  return <PeopleContext.Provider value={people}>{children}</PeopleContext.Provider>;
}

export function usePeople(): People {
  return useContext(PeopleContext);
}
