import type { Draft } from "@pytake/realtime";

export interface Template {
  channel_id: string;
  name: string;
  language: string;
  status: string;
  category: string;
  components: readonly { type: string; text?: string }[];
}

const FIELD = /\{\{\s*([\w]+)\s*\}\}/g;

/** Outside the 24 hours the same text would fail again: only a template goes out. */
export function needsTemplate(code: unknown): boolean {
  return code === "window_closed" || String(code) === "whatsapp_131047";
}

/** To the first template that may be chosen; the composer offers them when nothing else goes. */
export function focusTemplates(): void {
  document.querySelector<HTMLElement>("[data-templates] button")?.focus();
}

export function bodyOf(template: Template): string {
  return template.components.find(({ type }) => type.toUpperCase() === "BODY")?.text ?? "";
}

/** The names of the fields of a template, in order, each once. */
export function fieldsOf(template: Template): string[] {
  return [...new Set([...bodyOf(template).matchAll(FIELD)].map((match) => match[1] ?? ""))];
}

/** The text as the customer will read it; what is not filled in yet is named by `blank`. */
export function previewOf(
  template: Template,
  values: Readonly<Record<string, string>>,
  blank: (name: string) => string = (name) => `{{${name}}}`,
): string {
  return bodyOf(template).replace(
    FIELD,
    (_whole, name: string) => values[name]?.trim() || blank(name),
  );
}

const TITLES = new Set(["dona", "seu", "sr", "sra", "dr", "dra", "mr", "mrs", "ms"]);

/** How a template greets: the first name, or the whole one where it begins with a title. */
export function greetingName(name: string): string {
  const first = name.split(" ")[0] ?? "";
  return TITLES.has(first.toLowerCase().replace(".", "")) ? name : first;
}

/** Those that may be sent on the channel now. */
export function usable(templates: readonly Template[], channelId: string | null): Template[] {
  return templates.filter(
    ({ status, channel_id }) =>
      status.toUpperCase() === "APPROVED" && (channelId === null || channel_id === channelId),
  );
}

export function templateDraft(template: Template, values: Readonly<Record<string, string>>): Draft {
  const fields = fieldsOf(template);
  const parameters = fields.map((name) => ({ type: "text", text: values[name]?.trim() ?? "" }));
  const components = parameters.length > 0 ? [{ type: "body", parameters }] : [];
  return {
    message_type: "template",
    content: {
      name: template.name,
      language: template.language,
      components,
      text: previewOf(template, values),
    },
  };
}
