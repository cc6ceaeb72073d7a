import type { UserBody } from "@pytake/realtime";
import { createContext, useContext } from "react";

export interface SignedInSession {
  user: UserBody;
  getToken: () => string | Promise<string>;
  signOut: () => Promise<void>;
}

export const SessionContext = createContext<SignedInSession | undefined>(undefined);

export function useSession(): SignedInSession {
  const session = useContext(SessionContext);
  if (!session) throw new Error("only for signed-in pages");
  return session;
}

/** Where this user's pages begin: `/admin` or `/agent`. */
export function useHome(): string {
  return useSession().user.role === "admin" ? "/admin" : "/agent";
}
