import * as Ariakit from "@ariakit/react";
import { useWords } from "../words";

export function ShortcutsDialog(props: { isOpen: boolean; onClose: () => void }) {
  const words = useWords();
  const rows: readonly (readonly [string, string])[] = [
    ["j k", words.shortcutMove],
    ["Enter", words.shortcutOpen],
    ["r", words.shortcutReply],
    ["n", words.shortcutNote],
    ["e", words.shortcutClose],
    ["a", words.shortcutAssign],
    ["/", words.shortcutSearch],
    ["g m · g u · g a", words.shortcutTabs],
    ["Esc", words.shortcutLeave],
    ["?", words.shortcutHelp],
  ];
  return (
    <Ariakit.Dialog
      className="dialog"
      open={props.isOpen}
      onClose={props.onClose}
      backdrop={<div className="dialog-backdrop" />}
      unmountOnHide
    >
      <Ariakit.DialogHeading>{words.shortcuts}</Ariakit.DialogHeading>
      <dl className="shortcut-list">
        {rows.map(([keys, what]) => (
          <div key={keys}>
            <dt>
              {keys
                .split(" ")
                .map((key) => (key === "·" ? " " : <kbd key={key + keys}>{key}</kbd>))}
            </dt>
            <dd>{what}</dd>
          </div>
        ))}
      </dl>
      <Ariakit.DialogDismiss className="button">{words.close}</Ariakit.DialogDismiss>
    </Ariakit.Dialog>
  );
}
