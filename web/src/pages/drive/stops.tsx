// A day in; all its stops in driving order, what is done and when the rest is due out.
import { Icon, type IconName } from '../../ui/icon.tsx'
import { words } from '../../ui/words-drive.ts'
import type { Day, DayStop } from './day.ts'

const ICON: Record<DayStop['status'], IconName | null> = {
  pending: null,
  arrived: 'pin',
  done: 'check',
  failed: 'close',
  cancelled: 'close',
}

export function Stops({ day }: { day: Day }) {
  return (
    <section className="drive-card drive-stops" aria-labelledby="stops-title">
      <header>
        <h2 id="stops-title">{words.run(day.name)}</h2>
        <span className="hush tabular">{words.progress(day.settled, day.stops.length)}</span>
      </header>
      <ol>
        {day.stops.map((s) => (
          <Row key={s.stop.id} stop={s} current={s === day.next} />
        ))}
      </ol>
    </section>
  )
}

function Row({ stop: { stop, number, status, sending }, current }: { stop: DayStop; current: boolean }) {
  const icon = ICON[status]
  const open = status === 'pending' || status === 'arrived'
  return (
    <li className={`drive-stop drive-stop-${status}`} aria-current={current ? 'step' : undefined}>
      <span className="drive-stop-mark tabular" aria-hidden="true">
        {icon ? <Icon name={icon} /> : number}
      </span>
      <span className="drive-stop-text">
        <span className="drive-stop-label">{stop.label}</span>
        <span className="hush drive-small">
          {open ? stop.recipient : words.status(status)}
          {sending ? ` · ${words.sending}` : ''}
        </span>
      </span>
      {open && <span className="hush tabular drive-small drive-stop-when">{words.window(stop.window ?? stop.promise)}</span>}
    </li>
  )
}
