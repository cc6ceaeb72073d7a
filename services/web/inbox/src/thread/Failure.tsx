import type { MessageBody } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { focusTemplates, needsTemplate } from "../composer/templates";
import { useSpeech } from "../words";
import { failureWords } from "../words/failures";

/** Why a message did not arrive, in plain words, and what can be done about it. */
export function Failure(props: {
  message: MessageBody;
  open: OpenConversation;
  wasRetried: boolean;
}) {
  const speech = useSpeech();
  const { message, open, wasRetried } = props;
  const { error } = message;
  const code = error?.code;
  // A number that was stopped says why; what WhatsApp itself wrote is for those who look closer.
  const [what, next] = failureWords(speech, error?.cause ?? code);
  const again = () => {
    const { message_type, content } = message;
    open.send({ message_type, content, retry_of: message.id });
  };
  return (
    <p className="failure">
      <span title={typeof error?.detail === "string" ? error.detail : undefined}>
        {what} {next}
      </span>
      {message.status === "failed" && needsTemplate(code) && (
        <button type="button" className="link-button" onClick={focusTemplates}>
          {speech.words.useTemplate}
        </button>
      )}
      {message.status === "failed" && !wasRetried && !needsTemplate(code) && (
        <button type="button" className="link-button" onClick={again}>
          {speech.words.sendAgain}
        </button>
      )}
    </p>
  );
}
