// A desk or a question in, React state out.
import type { Result } from '@doorstep/shared/result'
import { useCallback, useEffect, useRef, useState, useSyncExternalStore } from 'react'
import type { ApiFault } from './api.ts'
import type { Desk } from './desk.ts'

/** Renders again whenever the desk has news; answers its version. */
export const useDesk = (desk: Desk): number => useSyncExternalStore(desk.subscribe, desk.version)

export type Asked<T> =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'ready'; readonly value: T }
  | { readonly kind: 'failed'; readonly fault: ApiFault }

/**
 * Asks whenever `key` changes and when told to ask again; null asks nothing. While a newer answer is awaited the old one of the same key
 * stays, and an answer that was overtaken is dropped.
 */
export function useAsk<T>(key: string | null, ask: () => Promise<Result<T, ApiFault>>): [Asked<T>, () => void, (value: T) => void] {
  const [held, setHeld] = useState<{ key: string | null; asked: Asked<T> }>({ key: null, asked: { kind: 'waiting' } })
  const newest = useRef(0)
  const question = useRef(ask)
  question.current = ask
  const go = useCallback(() => {
    if (key === null) return
    const mine = ++newest.current
    void question.current().then((answer) => {
      if (mine !== newest.current) return
      setHeld((before) => {
        if (answer.ok) return { key, asked: { kind: 'ready', value: answer.value } }
        // What is on screen stays when a refresh fails; the banner tells of the connection.
        return before.key === key && before.asked.kind === 'ready'
          ? before
          : { key, asked: { kind: 'failed', fault: answer.fault } }
      })
    })
  }, [key])
  const set = useCallback(
    (value: T) => {
      newest.current++
      setHeld({ key, asked: { kind: 'ready', value } })
    },
    [key],
  )
  useEffect(() => {
    go()
    return () => {
      newest.current++
    }
  }, [go])
  return [held.key === key && key !== null ? held.asked : { kind: 'waiting' }, go, set]
}

/** Calls `run` once things were quiet for `ms`, however often it is asked; the newest `run` counts. */
export function useCalm(run: () => void, ms: number): () => void {
  const newest = useRef(run)
  newest.current = run
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined)
  useEffect(() => () => clearTimeout(timer.current), [])
  return useCallback(() => {
    clearTimeout(timer.current)
    timer.current = setTimeout(() => newest.current(), ms)
  }, [ms])
}

/** The value as it was once it had been the same for `ms`. */
export function useSettled<T>(value: T, ms: number): T {
  const [settled, setSettled] = useState(value)
  useEffect(() => {
    const timer = setTimeout(() => setSettled(value), ms)
    return () => clearTimeout(timer)
  }, [value, ms])
  return settled
}
