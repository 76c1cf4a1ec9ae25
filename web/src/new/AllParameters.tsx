// Every parameter, as the server's own description of the API has them.
import { useState } from "preact/hooks";
import { useGet } from "../hooks";
import { Failed } from "../parts/basics";
import type { Parameters } from "./draft";
import { valueOf, type SetValue } from "./Parameters";

interface Schema {
  $ref?: string;
  type?: string;
  enum?: unknown[];
  anyOf?: Schema[];
  default?: unknown;
  description?: string;
  properties?: Record<string, Schema>;
  minimum?: number;
  maximum?: number;
}
interface Document {
  components: { schemas: Record<string, Schema> };
}

export function AllParameters({ values, set }: { values: Parameters; set: SetValue }) {
  const found = useGet<Document>("openapi.json");
  const [about, tell] = useState<{ group: string; name: string; text: string } | null>(null);
  if (!found.data) return <><Failed error={found.error} />{!found.error && <p class="muted">Reading what there is…</p>}</>;
  const schemas = found.data.components.schemas;
  const resolve = (schema: Schema): Schema => (schema.$ref ? { ...schemas[schema.$ref.split("/").at(-1)!], ...without(schema) } : schema);
  const all = Object.entries(schemas.JobParameters?.properties ?? {}).map(([name, schema]) => [name, resolve(schema)] as const);
  const plain = all.filter(([, schema]) => !schema.properties);
  return (
    <>
      {all.filter(([, schema]) => schema.properties).map(([group, schema]) => (
        <fieldset key={group} class="group">
          <legend>{group}</legend>
          <div class="fields">
            {Object.entries(schema.properties!).map(([name, inner]) => <Field key={name} name={name} schema={resolve(inner)} value={valueOf(values, group, name)} set={(value) => set(group, name, value)} onFocus={(text) => tell({ group, name, text })} />)}
          </div>
          {about?.group === group && <About {...about} />}
        </fieldset>
      ))}
      <fieldset class="group">
        <legend>of the job</legend>
        <div class="fields">{plain.map(([name, schema]) => <Field key={name} name={name} schema={schema} value={valueOf(values, null, name)} set={(value) => set(null, name, value)} onFocus={(text) => tell({ group: "", name, text })} />)}</div>
        {about?.group === "" && <About {...about} />}
      </fieldset>
    </>
  );
}

/** What the field that was entered last means: a title is only seen by those who have a mouse. */
function About({ name, text }: { name: string; text: string }) {
  return text ? <p class="small muted" aria-live="polite"><code>{name}</code>: {text}</p> : null;
}

interface FieldProps {
  name: string;
  schema: Schema;
  value: unknown;
  set: (value: unknown) => void;
  onFocus: (about: string) => void;
}

function Field({ name, schema, value, set, onFocus }: FieldProps) {
  const kinds = (schema.anyOf ?? [schema]).map((one) => one.type);
  const standard = shown(schema.default);
  const title = schema.description ?? "";
  if (schema.enum || kinds[0] === "boolean") {
    const options = schema.enum?.map(String) ?? ["true", "false"];
    return (
      <label title={title}><Name of={name} />
        <select onFocus={() => onFocus(title)} value={value === undefined ? "" : String(value)} onChange={(event) => set(read(event.currentTarget.value))}>
          <option value="">{standard}</option>
          {options.map((one) => <option key={one}>{one}</option>)}
        </select>
      </label>
    );
  }
  const written = value === undefined ? "" : typeof value === "string" ? value : JSON.stringify(value);
  return <label title={title}><Name of={name} /><input onFocus={() => onFocus(title)} placeholder={standard} value={written} onChange={(event) => set(read(event.currentTarget.value))} /></label>;
}

/** It may be broken at its underscores. */
function Name({ of }: { of: string }) {
  return <code>{of.split("_").map((part, at) => (at ? <>_<wbr />{part}</> : part))}</code>;
}

function shown(standard: unknown): string {
  if (standard === undefined || standard === null) return "none";
  if (typeof standard === "number") return String(Number(standard.toPrecision(5)));
  return typeof standard === "object" ? JSON.stringify(standard) : String(standard);
}

/** A number, a list or an object where it is one; otherwise a word. */
function read(text: string): unknown {
  if (text.trim() === "") return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return text.trim();
  }
}

function without({ $ref: _, ...rest }: Schema): Schema {
  return rest;
}
