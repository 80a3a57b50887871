// The theme that holds now (chosen here, else the system's) and whether the person wants less motion, as React state.
import { useSyncExternalStore } from 'react'

export type Theme = 'light' | 'dark'

const KEY = 'doorstep.theme'
const listeners = new Set<() => void>()
const dark = typeof matchMedia === 'function' ? matchMedia('(prefers-color-scheme: dark)') : null
const calm = typeof matchMedia === 'function' ? matchMedia('(prefers-reduced-motion: reduce)') : null

const current = (): Theme => {
  const chosen = document.documentElement.dataset.theme
  return chosen === 'light' || chosen === 'dark' ? chosen : dark?.matches ? 'dark' : 'light'
}

function choose(theme: Theme): void {
  document.documentElement.dataset.theme = theme
  try {
    localStorage.setItem(KEY, theme)
  } catch {
    // Storage is refused in some private windows: the choice holds for this page.
  }
  for (const listener of listeners) listener()
}

function listen(listener: () => void): () => void {
  listeners.add(listener)
  dark?.addEventListener('change', listener)
  return () => {
    listeners.delete(listener)
    dark?.removeEventListener('change', listener)
  }
}

/** [theme, choose]: a choice is kept in this browser and read again by theme-1.js before the next first paint. */
export function useTheme(): [Theme, (theme: Theme) => void] {
  return [useSyncExternalStore(listen, current, () => 'light'), choose]
}

export function useReducedMotion(): boolean {
  return useSyncExternalStore(
    (listener) => {
      calm?.addEventListener('change', listener)
      return () => calm?.removeEventListener('change', listener)
    },
    () => calm?.matches ?? false,
    () => false,
  )
}
