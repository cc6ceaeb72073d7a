import { Mic, Pause, Play } from "lucide-react";
import { useRef, useState } from "react";
import { useWords } from "../../words";

function lengthText(seconds: number): string {
  if (!Number.isFinite(seconds)) return "";
  return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
}

/** Audio plays in the row, with how far it is and how long. */
export function AudioPlayer(props: { content: Record<string, unknown>; url: string | undefined }) {
  const words = useWords();
  const audio = useRef<HTMLAudioElement>(null);
  const [isPlaying, setPlaying] = useState(false);
  const [at, setAt] = useState(0);
  const told = typeof props.content.duration === "number" ? props.content.duration : Number.NaN;
  const [length, setLength] = useState(told);
  const name = props.content.voice ? words.voice : words.audio;
  if (!props.url) return <p className="content-aside">{words.mediaPending}</p>;
  const toggle = () => {
    if (isPlaying) audio.current?.pause();
    else void audio.current?.play().catch(() => setPlaying(false));
  };
  return (
    <div className="content-audio">
      <button
        type="button"
        className="icon-button"
        aria-label={isPlaying ? words.pause : words.play}
        onClick={toggle}
      >
        {isPlaying ? <Pause size={18} aria-hidden /> : <Play size={18} aria-hidden />}
      </button>
      <progress max={Number.isFinite(length) ? length : 1} value={at} aria-label={name} />
      <span className="content-audio-length">
        {props.content.voice === true && <Mic size={12} aria-hidden />}
        {lengthText(isPlaying || at > 0 ? at : length) || name}
      </span>
      {/* biome-ignore lint/a11y/useMediaCaption: customers' voice messages come without captions */}
      <audio
        ref={audio}
        src={props.url}
        preload="metadata"
        onLoadedMetadata={(event) => setLength(event.currentTarget.duration)}
        onTimeUpdate={(event) => setAt(event.currentTarget.currentTime)}
        onPlay={() => setPlaying(true)}
        onPause={() => setPlaying(false)}
        onEnded={() => setAt(0)}
      />
    </div>
  );
}
