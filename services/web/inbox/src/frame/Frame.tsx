import { useClient } from "@pytake/realtime/react";
import { useCallback, useEffect, useState } from "react";
import { Redirect, Route, Switch, useLocation, useRoute } from "wouter";
import { Details } from "../details/Details";
import { ConversationList } from "../list/ConversationList";
import { usePreferences } from "../preferences";
import { useHome } from "../session/use-session";
import { NothingOpen } from "../thread/NothingOpen";
import { Thread } from "../thread/Thread";
import { TopLine } from "./TopLine";
import "./frame.css";

export function Frame() {
  const home = useHome();
  return (
    <div className="frame">
      <TopLine />
      <Switch>
        <Route path={`${home}/conversations/:id?`}>
          <Panes />
        </Route>
        <Route path="/:role/conversations/:id">
          {({ id }) => <Redirect to={`${home}/conversations/${id}`} replace />}
        </Route>
        <Route>
          <Redirect to={`${home}/conversations`} replace />
        </Route>
      </Switch>
    </div>
  );
}

function Panes() {
  const home = useHome();
  const [, parameters] = useRoute(`${home}/conversations/:id?`);
  const [, navigate] = useLocation();
  const id = parameters?.id;
  const { showDetails } = usePreferences();
  const [search, setSearch] = useState("");
  const open = useCallback(
    (conversationId: string) => navigate(`${home}/conversations/${conversationId}`),
    [home, navigate],
  );
  useTitle();

  return (
    <div className={`panes ${id ? "has-thread" : ""} ${id && showDetails ? "has-details" : ""}`}>
      <ConversationList openId={id} onOpen={open} search={search} onSearch={setSearch} />
      <main className="thread-pane">
        {id ? <Thread key={id} id={id} searched={search} /> : <NothingOpen />}
      </main>
      {id && showDetails && <Details key={id} id={id} onOpen={open} />}
    </div>
  );
}

/** The count of unread messages in the title of the window. */
function useTitle() {
  const { inbox } = useClient();
  useEffect(() => {
    const show = () => {
      const { unread } = inbox.snapshot();
      document.title = unread > 0 ? `(${unread}) PyTake` : "PyTake";
    };
    show();
    return inbox.subscribe(show);
  }, [inbox]);
}
