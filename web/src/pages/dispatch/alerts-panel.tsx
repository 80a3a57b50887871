// Alerts in; a calm list of them, newest first, out.
import { clockTime } from '../../ui/format.ts'
import { Icon, type IconName } from '../../ui/icon.tsx'
import { words } from '../../ui/words-dispatch.ts'
import type { Desk } from './desk.ts'
import { PanelHead } from './mark.tsx'

const ICONS: Record<'late' | 'off_route' | 'stale' | 'failed', IconName> = {
  late: 'clock',
  off_route: 'route',
  stale: 'signal-off',
  failed: 'alert',
}

export function AlertsPanel({
  desk,
  onDriver,
  onOrder,
  onClose,
}: {
  desk: Desk
  onDriver: (id: string) => void
  onOrder: (id: string) => void
  onClose: () => void
}) {
  const { alerts, vehicles } = desk.fleet
  return (
    <>
      <PanelHead title={words.alerts.title} onClose={onClose} />
      <div className="panel-body">
        {alerts.length === 0 ? (
          <div className="empty">
            <p>{words.alerts.none}</p>
            <p className="hush">{words.alerts.noneWhy}</p>
          </div>
        ) : (
          <ol className="alerts">
            {alerts.map((a) => {
              const v = vehicles.get(a.driverId)
              return (
                <li key={a.id}>
                  <button
                    type="button"
                    className={`alert alert-${a.kind}`}
                    onClick={() => (a.kind === 'failed' && a.orderId ? onOrder(a.orderId) : v ? onDriver(a.driverId) : undefined)}
                  >
                    <Icon name={ICONS[a.kind]} />
                    <span>{words.alerts.text(a, v?.row.name ?? words.alerts.gone)}</span>
                    <time dateTime={new Date(a.at).toISOString()}>{clockTime(a.at)}</time>
                  </button>
                </li>
              )
            })}
          </ol>
        )}
      </div>
    </>
  )
}
