// Expected outcomes as values: a fault carries a closed code and facts, never prose.

export type Ok<T> = { readonly ok: true; readonly value: T }
export type Fail<F> = { readonly ok: false; readonly fault: F }
export type Result<T, F> = Ok<T> | Fail<F>

export const ok = <T>(value: T): Ok<T> => ({ ok: true, value })
export const fail = <F>(fault: F): Fail<F> => ({ ok: false, fault })
