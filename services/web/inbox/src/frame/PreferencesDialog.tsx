import * as Ariakit from "@ariakit/react";
import { type Preferences, prefer, usePreferences } from "../preferences";
import { useWords } from "../words";

export function PreferencesDialog(props: { isOpen: boolean; onClose: () => void }) {
  const words = useWords();
  const chosen = usePreferences();
  const canNotify = typeof Notification !== "undefined";
  const isBlocked = canNotify && Notification.permission === "denied";
  const notify = async (wanted: boolean) => {
    if (!wanted) prefer({ notifications: false });
    else prefer({ notifications: (await Notification.requestPermission()) === "granted" });
  };
  return (
    <Ariakit.Dialog
      className="dialog"
      open={props.isOpen}
      onClose={props.onClose}
      backdrop={<div className="dialog-backdrop" />}
      unmountOnHide
    >
      <Ariakit.DialogHeading>{words.settings}</Ariakit.DialogHeading>
      <div className="preferences">
        <Toggle label={words.enterSends} name="enterSends" />
        <label className="toggle">
          <input
            type="checkbox"
            checked={chosen.notifications}
            disabled={!canNotify || isBlocked}
            onChange={(event) => void notify(event.target.checked)}
          />
          {words.notifications}
        </label>
        {isBlocked && <p className="note-line">{words.notificationsBlocked}</p>}
        <Toggle label={words.sound} name="sound" />
        <Toggle label={words.quietHours} name="quiet" />
        {chosen.quiet && (
          <div className="quiet-hours">
            <label>
              {words.quietFrom}{" "}
              <input
                className="input"
                type="time"
                value={chosen.quietFrom}
                onChange={(event) => prefer({ quietFrom: event.target.value })}
              />
            </label>
            <label>
              {words.quietTo}{" "}
              <input
                className="input"
                type="time"
                value={chosen.quietTo}
                onChange={(event) => prefer({ quietTo: event.target.value })}
              />
            </label>
          </div>
        )}
      </div>
      <Ariakit.DialogDismiss className="button">{words.close}</Ariakit.DialogDismiss>
    </Ariakit.Dialog>
  );
}

function Toggle(props: { label: string; name: "enterSends" | "sound" | "quiet" }) {
  const chosen = usePreferences();
  return (
    <label className="toggle">
      <input
        type="checkbox"
        checked={chosen[props.name]}
        onChange={(event) => prefer({ [props.name]: event.target.checked } as Partial<Preferences>)}
      />
      {props.label}
    </label>
  );
}
