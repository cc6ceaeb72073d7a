import { RealtimeError, type Role } from "@pytake/realtime";
import { useClient } from "@pytake/realtime/react";
import { UserPlus, Users } from "lucide-react";
import { useState } from "react";
import { Avatar } from "../frame/Avatar";
import type { Person } from "../people";
import { usePeople } from "../people";
import { useSession } from "../session/use-session";
import { refusalOf, useWords } from "../words";
import type { Words } from "../words/pt";
import { AdminForm } from "./AdminForm";
import { AdminPage } from "./AdminPage";
import { AdminTable } from "./AdminTable";
import { useItems } from "./use-page";

function roleName(role: Role, words: Words): string {
  return { admin: words.roleAdmin, agent: words.roleAgent, bot: words.roleBot }[role];
}

/** Who works here, who is online, and what an admin may do about it. */
export default function Team() {
  const words = useWords();
  const people = usePeople();
  const { user } = useSession();
  const [loaded, reload] = useItems<Person>("/users");
  const [told, setTold] = useState("");
  const renew = () => {
    reload();
    people.reload();
  };
  return (
    <AdminPage title={words.team}>
      <AdminTable
        loaded={loaded}
        onRetry={reload}
        empty={{ icon: Users, title: words.team, hint: words.addPerson }}
        row={(person) => ({
          icon: <Avatar name={person.name} />,
          title: person.name,
          note: [roleName(person.role, words), person.email].filter(Boolean).join(" · "),
          state: {
            isGood: person.online === true,
            text: person.online ? words.online : words.away,
          },
          isOff: person.active === false,
          actions: person.id !== user.id && (
            <Actions person={person} onChanged={renew} onTold={setTold} />
          ),
        })}
      />
      <p className="note-line" role="status">
        {told}
      </p>
      <AdminForm path="/users" title={words.addPerson} icon={UserPlus} onAdded={renew}>
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
      </AdminForm>
    </AdminPage>
  );
}

function Actions(props: { person: Person; onChanged: () => void; onTold: (text: string) => void }) {
  const words = useWords();
  const { rest } = useClient();
  const { person, onChanged, onTold } = props;
  const attempt = (work: Promise<unknown>, done = "") =>
    work
      .then(() => {
        onTold(done);
        onChanged();
      })
      .catch((error) => onTold(refusalOf(words, RealtimeError.of(error).code).join(" ")));
  const endSessions = () =>
    attempt(rest.post(`/users/${person.id}/revoke`, {}), words.sessionsEnded(person.name));
  return (
    <>
      <button type="button" className="button" onClick={() => void endSessions()}>
        {words.endSessions}
      </button>
      <label className="toggle">
        <input
          type="checkbox"
          checked={person.active !== false}
          onChange={(event) =>
            void attempt(rest.patch(`/users/${person.id}`, { active: event.target.checked }))
          }
        />
        {words.active}
      </label>
    </>
  );
}
