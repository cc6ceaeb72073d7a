import type { MessageBody } from "@pytake/realtime";
import { FileText, MapPin, UserRound } from "lucide-react";
import { useWords } from "../../words";
import { AudioPlayer } from "./AudioPlayer";
import { Picture } from "./Picture";
import { Text } from "./Text";

export type Shown = Pick<MessageBody, "message_type" | "content">;

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

/** Only our own addresses and the web's may become links. */
function safeUrl(value: unknown): string | undefined {
  const address = text(value);
  return /^(https?:\/\/|\/)/i.test(address) ? address : undefined;
}

/** What was said, by its type; one that nobody knows yet has a sentence, never a blank. */
export function Content({ message, searched }: { message: Shown; searched: string }) {
  const words = useWords();
  const { message_type, content } = message;
  switch (message_type) {
    case "text":
      return <Text text={text(content.text)} searched={searched} />;
    case "image":
    case "sticker":
      return <Picture content={content} kind={message_type} url={safeUrl(content.media_url)} />;
    case "video":
      return <Video content={content} />;
    case "audio":
      return <AudioPlayer content={content} url={safeUrl(content.media_url)} />;
    case "document":
      return <DocumentLink content={content} />;
    case "location":
      return <Place content={content} />;
    case "contacts":
      return <Cards content={content} />;
    case "reaction":
      return (
        <Aside>
          {text(content.emoji) ? words.reactedWith(text(content.emoji)) : words.reactionRemoved}
        </Aside>
      );
    case "interactive":
      return <Text text={text(content.text) || words.interactive} searched={searched} />;
    case "template":
      return <Template content={content} />;
    default:
      return <Unknown content={content} />;
  }
}

/** What has no form of its own: what the phone would say, or that it is on the phone. */
function Unknown({ content }: { content: Record<string, unknown> }) {
  const words = useWords();
  const said = text(content.text);
  if (content.kind === "system" && said) return <Aside>{said}</Aside>;
  const sentence = words.unsupportedKinds[text(content.kind)] ?? words.unsupported;
  return <Aside>{said ? `${sentence} ${said}` : sentence}</Aside>;
}

function Aside({ children }: { children: string }) {
  return <p className="content-aside">{children}</p>;
}

function Video({ content }: { content: Record<string, unknown> }) {
  const words = useWords();
  const url = safeUrl(content.media_url);
  if (!url) return <Aside>{words.mediaPending}</Aside>;
  return (
    <>
      {/* biome-ignore lint/a11y/useMediaCaption: customers' videos come without captions */}
      <video
        className="content-video"
        src={url}
        controls
        preload="metadata"
        aria-label={words.video}
      />
      {text(content.caption) && <Text text={text(content.caption)} />}
    </>
  );
}

function DocumentLink({ content }: { content: Record<string, unknown> }) {
  const words = useWords();
  const url = safeUrl(content.media_url);
  const name = text(content.filename) || words.document;
  const size = typeof content.size === "number" ? sizeText(content.size) : undefined;
  const kind = text(content.mime_type).split("/").at(-1)?.toUpperCase();
  const body = (
    <>
      <FileText size={28} aria-hidden />
      <span className="content-file-name" dir="auto">
        {name}
      </span>
      <span className="content-file-kind">
        {[kind && kind.length < 8 ? kind : undefined, size].filter(Boolean).join(" · ")}
      </span>
    </>
  );
  return (
    <>
      {url ? (
        <a className="content-file" href={url} download={name} title={words.download(name)}>
          {body}
        </a>
      ) : (
        <span className="content-file">{body}</span>
      )}
      {text(content.caption) && <Text text={text(content.caption)} />}
    </>
  );
}

export function sizeText(bytes: number): string {
  if (bytes < 1_000) return `${bytes} B`;
  if (bytes < 1_000_000) return `${Math.round(bytes / 1_000)} kB`;
  return `${(bytes / 1_000_000).toFixed(1)} MB`;
}

function Place({ content }: { content: Record<string, unknown> }) {
  const words = useWords();
  const { latitude, longitude } = content;
  const name = text(content.name) || words.location;
  const address = text(content.address) || `${latitude}, ${longitude}`;
  const map = `https://www.openstreetmap.org/?mlat=${Number(latitude)}&mlon=${Number(longitude)}#map=16/${Number(latitude)}/${Number(longitude)}`;
  return (
    <div className="content-card">
      <MapPin size={24} aria-hidden />
      <strong dir="auto">{name}</strong>
      <span dir="auto">{address}</span>
      <a href={map} target="_blank" rel="noopener noreferrer">
        {words.openMap}
      </a>
    </div>
  );
}

interface Card {
  name?: { formatted_name?: string };
  phones?: { phone?: string }[];
}

function Cards({ content }: { content: Record<string, unknown> }) {
  const words = useWords();
  const cards = (Array.isArray(content.contacts) ? content.contacts : []) as Card[];
  if (cards.length === 0) return <Aside>{words.contactCard}</Aside>;
  return cards.map((card, index) => (
    // biome-ignore lint/suspicious/noArrayIndexKey: cards have no name of their own and never move
    <div className="content-card" key={index}>
      <UserRound size={24} aria-hidden />
      <strong dir="auto">{text(card.name?.formatted_name) || words.noName}</strong>
      <span>{text(card.phones?.[0]?.phone)}</span>
    </div>
  ));
}

function Template({ content }: { content: Record<string, unknown> }) {
  const words = useWords();
  return (
    <>
      <span className="content-kind">{words.template}</span>
      <Text text={text(content.text) || words.templateNamed(text(content.name))} />
    </>
  );
}
