import * as Ariakit from "@ariakit/react";
import type { ConversationBody } from "@pytake/realtime";
import { UserRound } from "lucide-react";
import { Avatar } from "../frame/Avatar";
import { usePeople } from "../people";
import { useSession } from "../session/use-session";
import { useWords } from "../words";
import { Refusal } from "./Refusal";
import { useChange } from "./use-change";

export function AssignButton({ conversation }: { conversation: ConversationBody }) {
  const words = useWords();
  const { user } = useSession();
  const people = usePeople();
  const { change, refusal } = useChange(conversation.id);
  const { assigned_to } = conversation;
  const assignee = assigned_to ? people.byId.get(assigned_to) : undefined;
  const isMine = assigned_to === user.id;
  const label = isMine ? words.you : (assignee?.name ?? words.nobody);
  const others = people.all.filter((person) => person.role !== "bot" && person.active !== false);
  const mayAssign = user.role !== "agent" || isMine;
  if (!assigned_to && !mayAssign) {
    return (
      <>
        <button
          type="button"
          className="button"
          data-assign
          onClick={() => void change({ assigned_to: user.id })}
        >
          {words.takeIt}
        </button>
        <Refusal text={refusal} />
      </>
    );
  }
  return (
    <Ariakit.MenuProvider placement="bottom-end">
      <Ariakit.MenuButton
        className="button assign-button"
        data-assign
        aria-label={`${words.assignee}: ${label}`}
        disabled={!mayAssign}
      >
        {assigned_to ? (
          <Avatar name={isMine ? user.name : label} size="small" />
        ) : (
          <UserRound size={16} aria-hidden />
        )}
        <span className="assign-name">{label}</span>
      </Ariakit.MenuButton>
      <Refusal text={refusal} />
      <Ariakit.Menu className="menu" gutter={4} portal unmountOnHide>
        <Ariakit.MenuItem className="menu-item" onClick={() => void change({ assigned_to: null })}>
          <UserRound size={20} aria-hidden />
          {words.nobody}
        </Ariakit.MenuItem>
        {others.map((person) => (
          <Ariakit.MenuItem
            key={person.id}
            className="menu-item"
            onClick={() => void change({ assigned_to: person.id })}
          >
            <Avatar name={person.name} size="small" />
            {person.id === user.id ? words.you : person.name}
          </Ariakit.MenuItem>
        ))}
      </Ariakit.Menu>
    </Ariakit.MenuProvider>
  );
}
