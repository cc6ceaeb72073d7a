import { RealtimeError, type Role } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { UserPlus } from "lucide-react";
import { type FormEvent, useState } from "react";
import { Avatar } from "../frame/Avatar";
import type { Person } from "../people";
import { usePeople } from "../people";
import { useSession } from "../session/use-session";
import { refusalOf, useWords } from "../words";
import type { Words } from "../words/pt";
import { AdminPage, Listing } from "./AdminPage";
import { useItems } from "./use-page";

function roleName(role: Role, words: Words): string {
  return { admin: words.roleAdmin, agent: words.roleAgent, bot: words.roleBot }[role];
}

/** Who works here, who is online, and what an admin may do about it. */
export function Team() {
  const words = useWords();
  const people = usePeople();
  const [loaded, reload] = useItems<Person>("/users");
  const [told, setTold] = useState("");
  const renew = () => {
    reload();
    people.reload();
  };
  return (
    <AdminPage title={words.team}>
      <Listing loaded={loaded} onRetry={reload} empty={null}>
        {(items) => (
          <ul className="admin-list">
            {items.map((person) => (
              <Member key={person.id} person={person} onChanged={renew} onTold={setTold} />
            ))}
          </ul>
        )}
      </Listing>
      <p className="note-line" role="status">
        {told}
      </p>
      <AddPerson onAdded={renew} />
    </AdminPage>
  );
}

function Member(props: { person: Person; onChanged: () => void; onTold: (text: string) => void }) {
  const words = useWords();
  const { rest } = useClient();
  const { user } = useSession();
  const { person, onChanged, onTold } = props;
  const isActive = person.active !== false;
  const attempt = (work: Promise<unknown>, done = "") =>
    work
      .then(() => {
        onTold(done);
        onChanged();
      })
      .catch((error) => onTold(refusalOf(words, RealtimeError.of(error).code).join(" ")));
  return (
    <li className={`admin-row ${isActive ? "" : "is-off"}`}>
      <Avatar name={person.name} />
      <div className="admin-row-text">
        <strong>{person.name}</strong>
        <span className="note-line">
          {roleName(person.role, words)}
          {person.email && ` · ${person.email}`}
        </span>
      </div>
      <span className={`presence ${person.online ? "is-online" : ""}`}>
        {person.online ? words.online : words.away}
      </span>
      {person.id !== user.id && (
        <div className="admin-actions">
          <button
            type="button"
            className="button"
            onClick={() =>
              void attempt(
                rest.post(`/users/${person.id}/revoke`, {}),
                words.sessionsEnded(person.name),
              )
            }
          >
            {words.endSessions}
          </button>
          <label className="toggle">
            <input
              type="checkbox"
              checked={isActive}
              onChange={(event) =>
                void attempt(rest.patch(`/users/${person.id}`, { active: event.target.checked }))
              }
            />
            {words.active}
          </label>
        </div>
      )}
    </li>
  );
}

function AddPerson({ onAdded }: { onAdded: () => void }) {
  const words = useWords();
  const { rest } = useClient();
  const [refusal, setRefusal] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    try {
      await rest.post("/users", Object.fromEntries(new FormData(form)));
      form.reset();
      setRefusal("");
      onAdded();
    } catch (error) {
      setRefusal(refusalOf(words, RealtimeError.of(error).code).join(" "));
    }
  };
  return (
    <form className="admin-form" onSubmit={submit}>
      <h2>
        <UserPlus size={16} aria-hidden />
        {words.addPerson}
      </h2>
      <label className="field">
        {words.name}
        <input className="input" name="name" autoComplete="off" required maxLength={200} />
      </label>
      <label className="field">
        {words.email}
        <input className="input" name="email" type="email" autoComplete="off" required />
      </label>
      <label className="field">
        {words.password}
        <input
          className="input"
          name="password"
          type="password"
          autoComplete="new-password"
          minLength={8}
          required
          placeholder={words.passwordHint}
        />
      </label>
      <label className="field">
        {words.role}
        <select className="input" name="role" defaultValue="agent">
          <option value="agent">{words.roleAgent}</option>
          <option value="admin">{words.roleAdmin}</option>
        </select>
      </label>
      <p className="refusal" role="alert">
        {refusal}
      </p>
      <button type="submit" className="button primary">
        {words.addPerson}
      </button>
    </form>
  );
}
