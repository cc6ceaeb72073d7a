import * as Ariakit from "@ariakit/react";
import { LogOut } from "lucide-react";
import { Link } from "wouter";
import { prefer, usePreferences } from "../preferences";
import { useHome, useSession } from "../session/use-session";
import { useWords } from "../words";
import { Avatar } from "./Avatar";
import { ConnectionLine } from "./ConnectionLine";
import { Logo } from "./Logo";

export function TopLine() {
  const words = useWords();
  const home = useHome();
  return (
    <header className="top-line">
      <Link href={`${home}/conversations`} className="top-logo" aria-label={words.inbox}>
        <Logo />
      </Link>
      <ConnectionLine />
      <PersonMenu />
    </header>
  );
}

function PersonMenu() {
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
      <Ariakit.Menu className="menu" gutter={4} portal>
        <div className="menu-heading">{words.theme}</div>
        {(["system", "light", "dark"] as const).map((each) => (
          <Ariakit.MenuItemRadio
            key={each}
            className="menu-item"
            name="theme"
            value={each}
            checked={theme === each}
            onChange={() => prefer({ theme: each })}
          >
            <Ariakit.MenuItemCheck checked={theme === each} />
            {themes[each]}
          </Ariakit.MenuItemRadio>
        ))}
        <div className="menu-heading">{words.languageLabel}</div>
        {(["pt-BR", "en"] as const).map((each) => (
          <Ariakit.MenuItemRadio
            key={each}
            className="menu-item"
            name="language"
            value={each}
            checked={language === each}
            onChange={() => prefer({ language: each })}
          >
            <Ariakit.MenuItemCheck checked={language === each} />
            {each === "en" ? "English" : "Português (Brasil)"}
          </Ariakit.MenuItemRadio>
        ))}
        <Ariakit.MenuSeparator className="menu-separator" />
        <Ariakit.MenuItem className="menu-item" onClick={() => void signOut()}>
          <LogOut size={16} aria-hidden />
          {words.signOut}
        </Ariakit.MenuItem>
      </Ariakit.Menu>
    </Ariakit.MenuProvider>
  );
}
