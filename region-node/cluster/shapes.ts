/**
 * shapes.ts: checks what was read from the coordinator: JSON texts, field by field, before anybody believes them.
 *
 * More fields than are known are no damage: a later version may have written them.
 */

type Is<Value> = (value: unknown) => value is Value

/** One check for each field. */
export type Shape<Document> = { readonly [Name in keyof Document]-?: Is<Document[Name]> }

export const isText = (value: unknown): value is string => typeof value === 'string'
export const isFlag = (value: unknown): value is boolean => typeof value === 'boolean'
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
export const isNames = (value: unknown): value is readonly string[] =>
  Array.isArray(value) && value.every(isText)

export const isTexts = (value: unknown): value is Readonly<Record<string, string>> =>
  typeof value === 'object' && value !== null && Object.values(value).every(isText)

export const orAbsent =
  <Value>(is: Is<Value>) =>
  (value: unknown): value is Value | undefined =>
    value === undefined || is(value)

export const isOneOf =
  <Value extends string>(...choices: readonly Value[]) =>
  (value: unknown): value is Value =>
    choices.some((choice) => choice === value)

export const isListOf =
  <Item>(shape: Shape<Item>) =>
  (value: unknown): value is readonly Item[] =>
    Array.isArray(value) && value.every((item) => isShaped(item, shape))

/** @returns undefined for what is no such document */
export function decode<Document>(text: string, shape: Shape<Document>): Document | undefined {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  return isShaped(value, shape) ? value : undefined
}

function isShaped<Document>(value: unknown, shape: Shape<Document>): value is Document {
  if (typeof value !== 'object' || value === null) return false
  const fields = value as Document
  for (const name in shape) if (!shape[name](fields[name])) return false
  return true
}
