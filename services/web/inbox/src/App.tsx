import { lazy, Suspense, startTransition, useCallback, useEffect, useState } from "react";
import { Opening } from "./Opening";
import { Session } from "./session/session";
import { SignIn } from "./sign-in/SignIn";

const load = () => import("./Workspace");
const SignedIn = lazy(load);

const restored = Session.restore();
// Who comes back waits for nothing else first.
if (restored) void load().catch(() => undefined);

export function App() {
  const [session, setSession] = useState(restored);
  const [hasEnded, setHasEnded] = useState(false);

  const leave = useCallback((ended: boolean) => {
    setHasEnded(ended);
    setSession(undefined);
  }, []);
  useEffect(() => void load().catch(() => undefined), []);

  if (!session) {
    return (
      <SignIn
        hasEnded={hasEnded}
        onSignedIn={(signedIn) =>
          // The form stays until the workspace is there.
          startTransition(() => {
            setHasEnded(false);
            setSession(signedIn);
          })
        }
      />
    );
  }
  return (
    <Suspense fallback={<Opening />}>
      <SignedIn key={session.user.id} session={session} onLeave={leave} />
    </Suspense>
  );
}
