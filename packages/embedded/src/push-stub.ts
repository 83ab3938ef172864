/** `@mission-control/embedded/push-stub`: the official CLI's push endpoints, offline. */
export { startPushStub, type PushStub } from './push/stub.ts'
