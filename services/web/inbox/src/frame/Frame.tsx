import { lazy, Suspense, useState } from "react";
import { Redirect, Route, Switch } from "wouter";
import { useNoOtherDrop } from "../composer/use-drop-target";
import { useHome, useSession } from "../session/use-session";
import { useNotices } from "./notices";
import { Panes } from "./Panes";
import { PreferencesDialog } from "./PreferencesDialog";
import { ShortcutsDialog } from "./ShortcutsDialog";
import { TopLine } from "./TopLine";
import { useTitle } from "./use-title";
import "./frame.css";

const Team = lazy(() => import("../admin/Team"));
const Channels = lazy(() => import("../admin/Channels"));
const Quarantine = lazy(() => import("../admin/Quarantine"));

export function Frame() {
  const home = useHome();
  const { user } = useSession();
  const [dialog, setDialog] = useState<"preferences" | "shortcuts">();
  const close = () => setDialog(undefined);
  const showShortcuts = () => setDialog("shortcuts");
  useNotices();
  useNoOtherDrop();
  useTitle();
  return (
    <div className="frame">
      <TopLine onPreferences={() => setDialog("preferences")} onShortcuts={showShortcuts} />
      <Suspense fallback={<main aria-busy="true" />}>
        <Switch>
          <Route path={`${home}/conversations/:id?`}>
            {({ id }) => <Panes id={id} onHelp={showShortcuts} />}
          </Route>
          {user.role === "admin" && <Route path="/admin/team" component={Team} />}
          {user.role === "admin" && <Route path="/admin/channels" component={Channels} />}
          {user.role === "admin" && <Route path="/admin/quarantine" component={Quarantine} />}
          <Route path="/:role/conversations/:id">
            {({ id }) => <Redirect to={`${home}/conversations/${id}`} replace />}
          </Route>
          <Route>
            <Redirect to={`${home}/conversations`} replace />
          </Route>
        </Switch>
      </Suspense>
      <PreferencesDialog isOpen={dialog === "preferences"} onClose={close} />
      <ShortcutsDialog isOpen={dialog === "shortcuts"} onClose={close} />
    </div>
  );
}
