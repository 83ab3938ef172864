import type { Screen } from '../screen.ts'
import type { StackEvent } from './stack.ts'

/** Start-up and trouble of the stack's parts, a line each. */
export function showStackEvent(screen: Screen, event: StackEvent): void {
  if (event.type === 'ready') return screen.step(event.part, event.detail, event.tookMs)
  if (event.type === 'waiting') return screen.step(event.part, event.detail)
  screen.step(event.part, `ended (${event.detail}); starting it again`)
}
