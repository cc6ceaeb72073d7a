// Lists the routes of /openapi.json. Text is only ever set as text.
const place = document.getElementById("routes");

function element(name, text, className) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  if (className) made.className = className;
  return made;
}

function show(title, value) {
  return [element("h4", title), element("pre", JSON.stringify(value, null, 2))];
}

function schemaOf(content, schemas) {
  const schema = content?.["application/json"]?.schema;
  const name = schema?.$ref?.split("/").pop();
  return name ? schemas[name] : schema;
}

const api = await (await fetch("/openapi.json")).json();
place.replaceChildren();
for (const [path, operations] of Object.entries(api.paths)) {
  for (const [method, operation] of Object.entries(operations)) {
    const details = element("details");
    const summary = element("summary");
    summary.append(element("span", method.toUpperCase(), "method"), element("code", path));
    details.append(summary, element("p", operation.description ?? operation.summary ?? ""));
    if (operation.parameters) details.append(...show("Parameters", operation.parameters));
    const body = schemaOf(operation.requestBody?.content, api.components.schemas);
    if (body) details.append(...show("Body", body));
    for (const [status, response] of Object.entries(operation.responses)) {
      const answer = schemaOf(response.content, api.components.schemas);
      if (answer) details.append(...show(`Answer ${status}`, answer));
    }
    place.append(details);
  }
}
