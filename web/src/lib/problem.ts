import type { Problem } from '../client'

/** A failure of the API, with its problem document if there was one. */
export class Refused extends Error {
  constructor(readonly problem: Problem | undefined) {
    super(problem?.detail ?? 'no answer')
  }
}

interface Result<T> {
  data?: T
  error?: unknown
}

/** The answer of a call, or its problem thrown. */
export async function answer<T>(call: Promise<Result<T>>): Promise<T> {
  let result: Result<T>
  try {
    result = await call
  } catch {
    throw new Refused(undefined)
  }
  if (result.error !== undefined) {
    const problem = result.error as Problem
    throw new Refused(typeof problem?.code === 'string' ? problem : undefined)
  }
  return result.data as T
}
