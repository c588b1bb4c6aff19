// Draws openapi.json. Text only ever becomes text nodes, so nothing in a description can act.

const make = (tag, attributes = {}, ...children) => {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
};

const spec = await (await fetch("/openapi.json")).json();
const resolve = (schema) => (schema?.$ref ? schema.$ref.slice(2).split("/").reduce((at, key) => at[key], spec) : schema ?? {});

function kind(schema) {
  const found = resolve(schema);
  if (found.anyOf) return found.anyOf.map(kind).join(" or ");
  if (found.enum) return found.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (found.const !== undefined) return JSON.stringify(found.const);
  if (found.type === "array") return `list of ${kind(found.items)}`;
  return [found.type ?? "any", found.format].filter(Boolean).join(", ");
}

function table(rows) {
  const head = make("tr", {}, ...["Name", "Type", "Meaning"].map((text) => make("th", { scope: "col" }, text)));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows.map((cells) =>
    make("tr", {}, ...cells.map((text) => make("td", {}, text))))));
}

function parameters(operation) {
  const rows = (operation.parameters ?? []).map(({ name, in: place, schema, required, description }) =>
    [name, kind(schema), [`${place}${required ? ", required" : ""}`, description].filter(Boolean).join(": ")]);
  return rows.length ? [make("h4", {}, "Parameters"), table(rows)] : [];
}

function body(operation) {
  const content = operation.requestBody?.content?.["application/json"];
  if (!content) return [];
  const found = (content.schema?.anyOf ?? [content.schema]).map(resolve).find((schema) => schema?.properties);
  const rows = Object.entries(found?.properties ?? {}).map(([name, schema]) =>
    [name, kind(schema), [found.required?.includes(name) ? "required" : "", schema.description].filter(Boolean).join(": ")]);
  return [make("h4", {}, "Body (application/json; snake_case is taken too)"), rows.length ? table(rows) : null, ...examples(content)];
}

function examples(content) {
  const values = [content?.example, ...Object.values(content?.examples ?? {}).map(({ value }) => value)];
  return values.filter((value) => value !== undefined).map((value) => make("pre", {}, JSON.stringify(value, null, 2)));
}

function responses(operation) {
  return Object.entries(operation.responses ?? {}).filter(([status]) => status !== "422" && status !== "default").flatMap(([status, response]) =>
    [make("h4", {}, `${status} ${response.description}`), ...examples(response.content?.["application/json"])]);
}

const groups = new Map();
for (const [path, methods] of Object.entries(spec.paths)) {
  for (const [method, operation] of Object.entries(methods)) {
    const tag = operation.tags?.[0] ?? "other";
    if (!groups.has(tag)) groups.set(tag, []);
    groups.get(tag).push({ path, method: method.toUpperCase(), operation });
  }
}

document.querySelector("#about").textContent = `Version ${spec.info.version}. ${spec.info.description}`;
const contents = document.querySelector("#contents");
const operations = document.querySelector("#operations");
const shape = spec.components?.schemas?.ErrorBody;
if (shape) {
  const rows = Object.entries(shape.properties).map(([name, schema]) => [name, kind(schema), shape.required.includes(name) ? "always" : "where it applies"]);
  operations.append(make("h2", {}, "Errors"), make("p", {}, shape.description), table(rows));
}
for (const [tag, members] of groups) {
  operations.append(make("h2", { id: `group-${tag}` }, tag));
  for (const { path, method, operation } of members) {
    const id = `${method}-${path}`.replace(/[^A-Za-z0-9]+/g, "-");
    const section = make("details", { id }, make("summary", {}, make("span", { class: "method" }, method), make("code", {}, path)),
      make("div", {}, operation.description ? make("p", {}, operation.description) : null,
        operation.security ? make("p", {}, "Needs an access token.") : null,
        ...parameters(operation), ...body(operation), ...responses(operation)));
    const link = make("a", { href: `#${id}` }, `${method} ${path}`);
    link.addEventListener("click", () => { section.open = true; });
    contents.append(link);
    operations.append(section);
  }
}
document.getElementById(decodeURIComponent(location.hash.slice(1)))?.setAttribute("open", "");
