import { Inbox, ShieldAlert, Smartphone, Users } from "lucide-react";
import { Link, useLocation } from "wouter";
import { useHome, useSession } from "../session/use-session";
import { useWords } from "../words";
import { ConnectionLine } from "./ConnectionLine";
import { Logo } from "./Logo";
import { PersonMenu } from "./PersonMenu";

export function TopLine(props: { onPreferences: () => void; onShortcuts: () => void }) {
  const home = useHome();
  const words = useWords();
  const { user } = useSession();
  return (
    <header className="top-line">
      <Link href={`${home}/conversations`} className="top-logo" aria-label="PyTake">
        <Logo />
      </Link>
      {user.role === "admin" && (
        <nav className="top-pages" aria-label={words.menu}>
          <Page href={`${home}/conversations`} label={words.inbox} icon={Inbox} />
          <Page href="/admin/team" label={words.team} icon={Users} />
          <Page href="/admin/channels" label={words.channels} icon={Smartphone} />
          <Page href="/admin/quarantine" label={words.quarantine} icon={ShieldAlert} />
        </nav>
      )}
      <ConnectionLine />
      <PersonMenu {...props} />
    </header>
  );
}

function Page(props: { href: string; label: string; icon: typeof Inbox }) {
  const [location] = useLocation();
  const isHere = location.startsWith(props.href);
  const Icon = props.icon;
  return (
    <Link
      href={props.href}
      className="icon-button"
      aria-label={props.label}
      title={props.label}
      aria-current={isHere ? "page" : undefined}
    >
      <Icon size={18} aria-hidden />
    </Link>
  );
}
