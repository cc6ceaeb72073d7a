import { RealtimeError } from "@pytake/realtime";
import { type FormEvent, useState } from "react";
import { Logo } from "../frame/Logo";
import { Session } from "../session/session";
import { refusalOf, useWords } from "../words";
import "./sign-in.css";

export function SignIn(props: { hasEnded: boolean; onSignedIn: (session: Session) => void }) {
  const words = useWords();
  const [refusal, setRefusal] = useState<string>();
  const [isBusy, setBusy] = useState(false);

  async function submit(event: FormEvent<HTMLFormElement>) {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    setBusy(true);
    setRefusal(undefined);
    try {
      const session = await Session.signIn(
        String(fields.get("email")).trim(),
        String(fields.get("password")),
      );
      props.onSignedIn(session);
    } catch (error) {
      const code = error instanceof RealtimeError ? error.code : "internal";
      const isWrong = code === "invalid_token" || code === "forbidden" || code === "not_found";
      setRefusal(isWrong ? words.badCredentials : refusalOf(words, code).join(" "));
      setBusy(false);
    }
  }

  return (
    <main className="sign-in">
      <form className="sign-in-card" onSubmit={submit}>
        <Logo />
        <h1>PyTake</h1>
        <p className="sign-in-tagline">{words.productTagline}</p>
        {props.hasEnded && !refusal && (
          <p className="sign-in-note" role="status">
            {words.signedOutElsewhere}
          </p>
        )}
        <label className="field">
          {words.email}
          <input className="input" name="email" type="email" autoComplete="username" required />
        </label>
        <label className="field">
          {words.password}
          <input
            className="input"
            name="password"
            type="password"
            autoComplete="current-password"
            required
          />
        </label>
        <p className="sign-in-refusal" role="alert">
          {refusal}
        </p>
        <button className="button primary large" type="submit" disabled={isBusy}>
          {isBusy ? words.signingIn : words.signIn}
        </button>
      </form>
    </main>
  );
}
