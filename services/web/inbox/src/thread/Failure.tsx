import type { MessageBody } from "@pytake/realtime";
import type { OpenConversation } from "@pytake/realtime/react";
import { focusTemplates, needsTemplate } from "../composer/templates";
import { providerRefusal, useWords } from "../words";

/** Why a message did not arrive, in plain words, and what can be done about it. */
export function Failure({ message, open }: { message: MessageBody; open: OpenConversation }) {
  const words = useWords();
  const code = message.error?.code;
  const [what, next] = providerRefusal(words, code);
  const wasRetried = open.messages.some(({ retry_of }) => retry_of === message.id);
  const again = () => {
    const { message_type, content } = message;
    open.send({ message_type, content, retry_of: message.id });
  };
  return (
    <p className="failure">
      <span>
        {what} {next}
      </span>
      {message.status === "failed" && needsTemplate(code) && (
        <button type="button" className="link-button" onClick={focusTemplates}>
          {words.useTemplate}
        </button>
      )}
      {message.status === "failed" && !wasRetried && !needsTemplate(code) && (
        <button type="button" className="link-button" onClick={again}>
          {words.sendAgain}
        </button>
      )}
    </p>
  );
}
