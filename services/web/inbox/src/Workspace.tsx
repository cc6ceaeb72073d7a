import { RealtimeClient } from "@pytake/realtime";
import { RealtimeProvider } from "@pytake/realtime/react";
import { useCallback, useEffect, useMemo, useState } from "react";
import { Frame } from "./frame/Frame";
import { TypingProvider } from "./list/typing-store";
import { Opening } from "./Opening";
import { PeopleProvider } from "./people";
import { followServerClock } from "./server-clock";
import type { Session } from "./session/session";
import { SessionContext, type SignedInSession } from "./session/use-session";

/** All that is needed once somebody is signed in, with the connection that it stands on. */
export default function SignedIn(props: { session: Session; onLeave: (ended: boolean) => void }) {
  const { session, onLeave } = props;
  const [client, setClient] = useState<RealtimeClient>();

  useEffect(() => {
    const made = new RealtimeClient({
      userId: session.user.id,
      getToken: session.getToken,
      debug: localStorage.getItem("pytake.debug") !== null,
      client: { name: "inbox", version: "0.1.0" },
    });
    const stopFollowing = session.whenEnded(() => onLeave(true));
    const stopClock = followServerClock(made);
    made.start();
    setClient(made);
    return () => {
      stopFollowing();
      stopClock();
      made.stop();
    };
  }, [session, onLeave]);

  const signOut = useCallback(async () => {
    await session.signOut();
    onLeave(false);
  }, [session, onLeave]);
  if (!client) return <Opening />;
  return (
    <Workspace client={client} user={session.user} getToken={session.getToken} signOut={signOut} />
  );
}

/** The page of a signed-in user. */
export function Workspace(props: SignedInSession & { client: RealtimeClient }) {
  const { client, user, getToken, signOut } = props;
  const session = useMemo(() => ({ user, getToken, signOut }), [user, getToken, signOut]);
  return (
    <SessionContext.Provider value={session}>
      <RealtimeProvider client={client}>
        <PeopleProvider>
          <TypingProvider>
            <Frame />
          </TypingProvider>
        </PeopleProvider>
      </RealtimeProvider>
    </SessionContext.Provider>
  );
}
