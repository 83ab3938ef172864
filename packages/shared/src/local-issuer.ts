/**
 * The issuer of a machine of one's own: its key lies in the data folder and `mission-control token` signs with it. Its names are the
 * same everywhere; what tells installations apart is the key.
 */

/** `iss` of its tokens. Nothing is ever fetched from there. */
export const LOCAL_ISSUER = 'https://mission-control.local'
/** `aud` of its tokens. */
export const LOCAL_AUDIENCE = 'mission-control'
export const LOCAL_ALGORITHM = 'ES256'
