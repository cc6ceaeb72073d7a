import * as Ariakit from "@ariakit/react";
import { Keyboard, LogOut, Settings } from "lucide-react";
import { prefer, usePreferences } from "../preferences";
import { useSession } from "../session/use-session";
import { useWords } from "../words";
import { Avatar } from "./Avatar";

/** Each by its own name, whatever is spoken now. */
const LANGUAGES = { "pt-BR": "Português (Brasil)", en: "English" } as const;

export function PersonMenu(props: { onPreferences: () => void; onShortcuts: () => void }) {
  const words = useWords();
  const { user, signOut } = useSession();
  const { theme, language } = usePreferences();
  const themes = { system: words.themeSystem, light: words.themeLight, dark: words.themeDark };
  return (
    <Ariakit.MenuProvider placement="bottom-end">
      <Ariakit.MenuButton className="person-button" aria-label={`${user.name}, ${words.menu}`}>
        <Avatar name={user.name} size="small" />
        <span className="person-name">{user.name}</span>
      </Ariakit.MenuButton>
      <Ariakit.Menu className="menu" gutter={4} portal unmountOnHide>
        <Choices
          heading={words.theme}
          names={themes}
          chosen={theme}
          onChoose={(each) => prefer({ theme: each })}
        />
        <Choices
          heading={words.languageLabel}
          names={LANGUAGES}
          chosen={language}
          onChoose={(each) => prefer({ language: each })}
        />
        <Ariakit.MenuSeparator className="menu-separator" />
        <Ariakit.MenuItem className="menu-item" onClick={props.onPreferences}>
          <Settings size={16} aria-hidden />
          {words.settings}
        </Ariakit.MenuItem>
        <Ariakit.MenuItem className="menu-item" onClick={props.onShortcuts}>
          <Keyboard size={16} aria-hidden />
          {words.shortcuts}
        </Ariakit.MenuItem>
        <Ariakit.MenuSeparator className="menu-separator" />
        <Ariakit.MenuItem className="menu-item" onClick={() => void signOut()}>
          <LogOut size={16} aria-hidden />
          {words.signOut}
        </Ariakit.MenuItem>
      </Ariakit.Menu>
    </Ariakit.MenuProvider>
  );
}

function Choices<T extends string>(props: {
  heading: string;
  names: Readonly<Record<T, string>>;
  chosen: T;
  onChoose: (value: T) => void;
}) {
  const { heading, names, chosen, onChoose } = props;
  return (
    <Ariakit.MenuGroup>
      <Ariakit.MenuGroupLabel className="menu-heading">{heading}</Ariakit.MenuGroupLabel>
      {(Object.keys(names) as T[]).map((each) => (
        <Ariakit.MenuItemRadio
          key={each}
          className="menu-item"
          name={heading}
          value={each}
          checked={chosen === each}
          onChange={() => onChoose(each)}
        >
          <Ariakit.MenuItemCheck checked={chosen === each} />
          {names[each]}
        </Ariakit.MenuItemRadio>
      ))}
    </Ariakit.MenuGroup>
  );
}
