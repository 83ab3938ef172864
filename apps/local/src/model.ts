/** Which model the stack's agents use: a real one when the environment names one, else the scripted one. */

/** What the runtime reads about models; passed on as it is. */
const MODEL_VARIABLES = [
  'OPENCLAW_MODEL',
  'MODEL_BASE_URL',
  'MODEL_API_KEY',
  'OPENAI_API_KEY',
  'OPENAI_BASE_URL',
  'ANTHROPIC_API_KEY',
  'ANTHROPIC_BASE_URL',
] as const

export interface ModelEnv {
  readonly real: boolean
  /** For the person in front of the screen. */
  readonly label: string
  readonly env: Readonly<Record<string, string>>
}

/**
 * @returns `null` when the environment names no real model
 * @throws Error with a sentence when it names half of one
 */
export function realModel(env: NodeJS.ProcessEnv): ModelEnv | null {
  const given = Object.fromEntries(MODEL_VARIABLES.flatMap((name) => (env[name] ? [[name, env[name]]] : [])))
  const where = given['MODEL_BASE_URL'] ?? (given['OPENAI_API_KEY'] ? 'OpenAI' : given['ANTHROPIC_API_KEY'] ? 'Anthropic' : null)
  if (where === null || where === undefined) return null
  if (given['MODEL_BASE_URL'] && !given['OPENCLAW_MODEL']) {
    throw new Error('MODEL_BASE_URL is set and OPENCLAW_MODEL is not: set it to the name of a model that the server has.')
  }
  return { real: true, label: `${given['OPENCLAW_MODEL'] ?? 'its default model'} at ${where}`, env: given }
}

export const scriptedModel = (baseUrl: string): ModelEnv => ({
  real: false,
  label: 'scripted, instant and offline',
  env: { OPENCLAW_MODEL: 'scripted', MODEL_BASE_URL: baseUrl, MODEL_API_KEY: 'none' },
})
