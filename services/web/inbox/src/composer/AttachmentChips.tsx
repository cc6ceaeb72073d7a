import { FileText, X } from "lucide-react";
import { sizeText } from "../thread/content/Content";
import { useWords } from "../words";
import type { Attachments } from "./attachments";

export function AttachmentChips({ files }: { files: Attachments }) {
  const words = useWords();
  if (files.files.length === 0) return null;
  return (
    <ul className="chips">
      {files.files.map((file) => {
        const percent = Math.round(file.progress * 100);
        return (
          <li key={file.id} className={`chip ${file.state}`}>
            <FileText size={16} aria-hidden />
            <span className="chip-name" dir="auto">
              {file.state === "failed" ? words.uploadFailed(file.name) : file.name}
            </span>
            <span className="note-line">{sizeText(file.size)}</span>
            {file.state === "uploading" && (
              <progress
                max={100}
                value={percent}
                aria-label={words.uploading(file.name, percent)}
              />
            )}
            <button
              type="button"
              className="icon-button"
              aria-label={`${words.remove}: ${file.name}`}
              onClick={() => files.remove(file.id)}
            >
              <X size={14} aria-hidden />
            </button>
          </li>
        );
      })}
    </ul>
  );
}
