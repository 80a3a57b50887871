// The stop that is next in; its address in large letters and what can be done at its door out.
import { FAIL_REASONS, type FailReason } from '@doorstep/shared/order'
import { useEffect, useRef, useState } from 'react'
import { Button } from '../../ui/controls.tsx'
import { Icon } from '../../ui/icon.tsx'
import { words } from '../../ui/words-drive.ts'
import type { DayStop } from './day.ts'
import type { DriveSession } from './session.ts'

export function Next({ next, of, may, act }: { next: DayStop; of: number; may: boolean; act: DriveSession['act'] }) {
  const [asking, ask] = useState(false)
  const { stop } = next
  const there = next.status === 'arrived'
  const [lng, lat] = stop.door
  const late = stop.promise && stop.window && stop.window.from > stop.promise.to
  return (
    <>
      <section className="drive-card drive-next" aria-labelledby="next-title">
        <p className="drive-next-over">
          <span>{words.stop(next.number, of)}</span>
          {there && <span className="badge badge-brand">{words.status('arrived')}</span>}
        </p>
        <h1 id="next-title">{stop.label}</h1>
        <p className="drive-who">{stop.recipient}</p>
        <p className="drive-window tabular">
          <Icon name="clock" />
          {words.window(stop.window ?? stop.promise)}
          {late && stop.promise && <span className="badge badge-bad">{words.promised(stop.promise)}</span>}
        </p>
        {stop.note && (
          <p className="drive-note">
            <span className="unseen">{words.note}: </span>
            {stop.note}
          </p>
        )}
        <a
          className="button button-plain"
          href={`https://www.google.com/maps/dir/?api=1&destination=${lat},${lng}`}
          target="_blank"
          rel="noreferrer"
          aria-label={words.navigateTo(stop.label)}
        >
          <Icon name="route" />
          {words.navigate}
        </a>
      </section>
      <div className="drive-acts">
        {there ? (
          <Button look="primary" size="large" icon="check" disabled={!may} onClick={() => act('delivered', stop.id)}>
            {words.delivered}
          </Button>
        ) : (
          <Button look="primary" size="large" icon="pin" disabled={!may} onClick={() => act('arrived', stop.id)}>
            {words.arrived}
          </Button>
        )}
        <div className="drive-acts-row">
          {!there && (
            <Button icon="check" disabled={!may} onClick={() => act('delivered', stop.id)}>
              {words.delivered}
            </Button>
          )}
          <Button icon="close" disabled={!may} onClick={() => ask(true)}>
            {words.failed}
          </Button>
        </div>
      </div>
      {asking && (
        <WhyNot
          label={stop.label}
          onClose={() => ask(false)}
          onReason={(reason, note) => {
            ask(false)
            act('failed', stop.id, note === '' ? { reason } : { reason, note })
          }}
        />
      )}
    </>
  )
}

function WhyNot(props: { label: string; onReason: (reason: FailReason, note: string) => void; onClose: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const [note, setNote] = useState('')
  useEffect(() => {
    const before = document.activeElement
    dialog.current?.showModal()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={dialog}
      className="drive-sheet"
      aria-labelledby="why-title"
      onCancel={(event) => {
        // The page alone decides whether the sheet stands: closed by the browser first, a second press would be lost.
        event.preventDefault()
        props.onClose()
      }}
    >
      <h2 id="why-title">{words.sheet.title(props.label)}</h2>
      <ul className="drive-reasons">
        {FAIL_REASONS.map((reason) => (
          <li key={reason}>
            <Button size="large" onClick={() => props.onReason(reason, note.trim())}>
              {words.reason(reason)}
            </Button>
          </li>
        ))}
      </ul>
      <label className="drive-field">
        <span>{words.sheet.note}</span>
        <textarea rows={2} maxLength={300} value={note} onChange={(event) => setNote(event.target.value)} />
      </label>
      <Button look="quiet" icon="back" onClick={props.onClose}>
        {words.sheet.back}
      </Button>
    </dialog>
  )
}
