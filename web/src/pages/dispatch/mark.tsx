// A standing in, the same mark that the map draws, out; and the pieces that several panels share.
import type { ReactNode } from 'react'
import type { Look } from '../../map/fleet-layer.ts'
import { Button, IconButton, Note } from '../../ui/controls.tsx'
import { words } from '../../ui/words-dispatch.ts'
import type { ApiFault } from './api.ts'
import { lookOf, type Standing } from './standing.ts'

/** Shape and colour of a vehicle as on the map; hidden from screen readers, since words stand beside it. */
export function Mark({ look }: { look: Look }) {
  const arrow = <path className="mark-on" d="M12 6.600 16 16.200 12 14 8 16.200z" />
  return (
    <svg className={`mark mark-${look}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      {look === 'enroute' && (
        <>
          <circle cx="12" cy="12" r="10" />
          {arrow}
        </>
      )}
      {look === 'late' && (
        <>
          <circle className="mark-ring" cx="12" cy="12" r="11" />
          <circle cx="12" cy="12" r="8.600" />
          {arrow}
        </>
      )}
      {look === 'at_stop' && (
        <>
          <rect x="3" y="3" width="18" height="18" rx="6" />
          <circle className="mark-on" cx="12" cy="12" r="3.600" />
        </>
      )}
      {look === 'silent' && (
        <>
          <circle className="mark-hollow" cx="12" cy="12" r="8.500" />
          <path className="mark-bar" d="M8 12h8" />
        </>
      )}
      {look === 'idle' && <rect x="6" y="6" width="12" height="12" rx="2.500" transform="rotate(45 12 12)" />}
    </svg>
  )
}

/** The mark in lists, where also those stand whom the map leaves out. */
export const markOf = (s: Standing): Look => lookOf(s) ?? (s.work === 'idle' ? 'idle' : 'silent')

export function PanelHead({
  title,
  sub,
  onClose,
  children,
}: {
  title: string
  sub?: ReactNode
  onClose: () => void
  children?: ReactNode
}) {
  return (
    <header className="panel-head">
      {children}
      <div className="panel-name">
        <h2 tabIndex={-1} className="panel-title">
          {title}
        </h2>
        {sub && <div className="panel-sub">{sub}</div>}
      </div>
      <IconButton icon="close" label={words.close} onClick={onClose} />
    </header>
  )
}

export function Trouble({ fault, again }: { fault: ApiFault; again?: () => void }) {
  return (
    <div role="alert">
      <Note tone="bad" icon="alert">
        <p>{words.problem(fault.code, fault.field)}</p>
        {fault.requestId && <p className="hush small">{words.reference(fault.requestId)}</p>}
        {again && (
          <Button size="small" icon="refresh" onClick={again}>
            {words.retry}
          </Button>
        )}
      </Note>
    </div>
  )
}

/** Lines in the shape of what will stand here. */
export function Waiting({ lines }: { lines: number }) {
  return (
    <div className="waiting" aria-hidden="true">
      {Array.from({ length: lines }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: they are all alike and never move
        <span key={i} />
      ))}
    </div>
  )
}
