/**
 * requirements.mjs: what the scripts in bin/ need of the machine, said in a sentence.
 *
 * The scripts keep to the syntax of 2019, so that a Node that is too old gets as far as the sentence.
 */
export const NODE_MAJOR_MIN = 20

/** The sentence that refuses a version of Node such as 'v18.19.0', or '' when it will do. */
export function nodeRefusal(version) {
  const number = version.replace(/^v/, '')
  if (Number.parseInt(number, 10) >= NODE_MAJOR_MIN) return ''
  return `causeway needs Node ${NODE_MAJOR_MIN} or newer, and this is Node ${number}.`
}
