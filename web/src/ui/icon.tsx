// A name in, an inline SVG out: 24 × 24, drawn by stroke, hidden from screen readers since text always stands beside it.
import type { MoreIcon } from './more-icons.ts'

/** Those of the customer's page; more-icons.ts adds the rest where it is imported. */
const PATHS = {
  check: 'M5 12.5l4.5 4.5L19 7.5',
  close: 'M6 6l12 12M18 6L6 18',
  clock: 'M12 7v5l3.5 2M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
  van: 'M2.5 16V7a1 1 0 0 1 1-1H14v10.5M14 9h4l3.5 4v3.5h-2M9.5 16.5H14M2.5 16.5h2M9.5 17a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19.5 17a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z',
  box: 'M12 3l8 4.5v9L12 21l-8-4.5v-9zM4.3 7.7 12 12l7.7-4.3M12 12v9M8 5.3l8 4.5',
  home: 'M4 11l8-7 8 7v8a1.5 1.5 0 0 1-1.5 1.5H14v-6h-4v6H5.5A1.5 1.5 0 0 1 4 19z',
  alert: 'M12 8v5M12 16.5v.01M10.3 3.9 2.4 17.5A2 2 0 0 0 4.1 20.5h15.8a2 2 0 0 0 1.7-3L13.7 3.9a2 2 0 0 0-3.4 0z',
  info: 'M12 11v5.5M12 7.5v.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
  signal: 'M4 18v-3M9 18v-6M14 18V9M19 18V6',
  'signal-off': 'M4 18v-3M9 18v-6M19 18V6M14 18v-4M3 3l18 18',
  offline:
    'M3 3l18 18M8.5 16.5a5 5 0 0 1 7 0M5 13a10 10 0 0 1 5.2-2.8M19 13a10 10 0 0 0-2-1.5M2 9a15 15 0 0 1 4.2-2.6M22 9a15 15 0 0 0-11-4M12 20v.01',
  follow: 'M12 2.5v3M12 18.5v3M2.5 12h3M18.5 12h3M18.5 12a6.5 6.5 0 1 1-13 0 6.5 6.5 0 0 1 13 0z',
  sun: 'M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4M16 12a4 4 0 1 1-8 0 4 4 0 0 1 8 0z',
  moon: 'M20.5 14.5A8.5 8.5 0 1 1 9.5 3.5a7 7 0 0 0 11 11z',
  back: 'M19 12H5M11 6l-6 6 6 6',
  refresh: 'M20 12a8 8 0 1 1-2.3-5.7L20 8.5M20 3.5v5h-5',
  route:
    'M8 18.5h8.5a3.5 3.5 0 0 0 0-7h-9a3.5 3.5 0 0 1 0-7H16M8 18.5a2 2 0 1 1-4 0 2 2 0 0 1 4 0zM20 4.5a2 2 0 1 1-4 0 2 2 0 0 1 4 0z',
  store: 'M4 9.5V20h16V9.5M3 9.5 5 4h14l2 5.5a3 3 0 0 1-6 0 3 3 0 0 1-6 0 3 3 0 0 1-6 0zM9.5 20v-5.5h5V20',
  hand: 'M8 12.5V6a1.5 1.5 0 0 1 3 0v5m0-.5V4.5a1.5 1.5 0 0 1 3 0V11m0-4a1.5 1.5 0 0 1 3 0v7a6.5 6.5 0 0 1-12.3 2.9L3.5 14a1.5 1.5 0 0 1 2.6-1.5L8 15',
  link: 'M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1 1M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1-1',
} as const

export type IconName = keyof typeof PATHS | MoreIcon
const known: Partial<Record<string, string>> = { ...PATHS }

export const addIcons = (more: Record<string, string>): void => void Object.assign(known, more)

export function Icon({ name, className }: { name: IconName; className?: string }) {
  return (
    <svg className={className ? `icon ${className}` : 'icon'} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={known[name]} />
    </svg>
  )
}
