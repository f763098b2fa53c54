/**
 * prometheus.ts: asks Prometheus what it has collected from the regions.
 */

/** @returns the body of an HTTP GET  @throws Error when there is none */
export type Fetch = (url: string) => Promise<string>

export class Prometheus {
  readonly #port: number
  readonly #fetch: Fetch

  constructor(port: number, fetch: Fetch = fetchText) {
    this.#port = port
    this.#fetch = fetch
  }

  /**
   * The latest value of a query that has one number for an answer, or undefined while there is none.
   * @throws Error when Prometheus cannot be reached or refuses the query
   * @see https://prometheus.io/docs/prometheus/latest/querying/api/
   */
  async number(query: string): Promise<number | undefined> {
    const url = `http://127.0.0.1:${this.#port}/api/v1/query?query=${encodeURIComponent(query)}`
    const answer = JSON.parse(await this.#fetch(url)) as Answer
    if (answer.status !== 'success') throw new Error(`Prometheus refused '${query}': ${answer.error}`)
    const [sample] = answer.data.result
    return sample === undefined ? undefined : Number(sample.value[1])
  }
}

type Answer =
  | { readonly status: 'error'; readonly error: string }
  | {
      readonly status: 'success'
      readonly data: { readonly result: ReadonlyArray<{ readonly value: readonly [number, string] }> }
    }

/** A refusal has a body too, and says why. */
async function fetchText(url: string): Promise<string> {
  return (await fetch(url)).text()
}
