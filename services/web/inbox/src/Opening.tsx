// These come first in the one sheet: all others build on them.
import "./styles/tokens.css";
import "./styles/base.css";
import type { CSSProperties } from "react";
import { Skeletons } from "./list/ListStates";
import { usePreferences } from "./preferences";
import "./frame/frame.css";
import "./list/list.css";

/** The frame while what belongs in it is loaded; the rows stand where those of the list will. */
export function Opening() {
  const { listWidth } = usePreferences();
  const { pathname } = location;
  const isList = !/^\/admin\/(team|channels|quarantine)/.test(pathname);
  const hasThread = /\/conversations\/./.test(pathname);
  return (
    <div className="frame" data-opening>
      <header className="top-line" />
      {isList && (
        <div
          className={`panes ${hasThread ? "has-thread" : ""}`}
          style={{ "--list-width": `${listWidth}px` } as CSSProperties}
        >
          <div className="list-pane">
            <div className="list-body">
              <div className="list-search">
                <div className="input" />
              </div>
              <div className="list-tabs">
                <div className="list-tab" />
              </div>
              <Skeletons />
            </div>
          </div>
          <main className="thread-pane" />
        </div>
      )}
    </div>
  );
}
