// Vehicles in; the list of drivers with its search, filters and keys, out.
import type { OrderRow } from '@doorstep/shared/api'
import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { clockTime } from '../../ui/format.ts'
import { Icon } from '../../ui/icon.tsx'
import { words } from '../../ui/words-dispatch.ts'
import type { Vehicle } from './fleet.ts'
import { stepTo } from './list.ts'
import { Mark, markOf } from './mark.tsx'
import { FILTERS, type Filter, isSilent } from './standing.ts'

const ROW = 64

export interface DriverListProps {
  rows: readonly Vehicle[]
  tally: Readonly<Record<Filter, number>>
  ready: boolean
  filter: Filter
  onFilter: (filter: Filter) => void
  text: string
  onText: (text: string) => void
  /** Orders that the server found for the search. */
  orders: readonly OrderRow[]
  selected: string | null
  onDriver: (id: string) => void
  onOrder: (id: string) => void
}

export function DriverList(props: DriverListProps) {
  const { rows, tally, filter, text, orders, selected } = props
  const scroller = useRef<HTMLDivElement>(null)
  const search = useRef<HTMLInputElement>(null)
  const [active, setActive] = useState<string | null>(null)
  const at = active === null ? -1 : rows.findIndex((v) => v.row.id === active)
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW,
    overscan: 6,
  })

  useEffect(() => {
    const key = (event: globalThis.KeyboardEvent) => {
      const target = event.target as HTMLElement
      if (event.key !== '/' || event.ctrlKey || event.metaKey || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) return
      event.preventDefault()
      search.current?.focus()
      search.current?.select()
    }
    document.addEventListener('keydown', key)
    return () => document.removeEventListener('keydown', key)
  }, [])

  const lead = (index: number): void => {
    const v = rows[index]
    if (!v) return
    setActive(v.row.id)
    virtual.scrollToIndex(index, { align: 'auto' })
  }
  const keys = (event: KeyboardEvent): void => {
    if (event.key === 'Enter' && at >= 0) {
      event.preventDefault()
      props.onDriver(rows[at]!.row.id)
      return
    }
    const page = Math.max(1, Math.floor((scroller.current?.clientHeight ?? ROW) / ROW) - 1)
    const next = stepTo(event.key, at, rows.length, page)
    if (next === null) return
    event.preventDefault()
    lead(next)
  }

  return (
    <>
      <div className="list-tools">
        <label className="search">
          <span className="unseen">{words.search.label}</span>
          <Icon name="search" />
          <input
            ref={search}
            type="search"
            placeholder={words.search.hint}
            value={text}
            maxLength={80}
            autoComplete="off"
            spellCheck={false}
            onChange={(event) => props.onText(event.target.value)}
            onKeyDown={(event) => {
              if (event.key === 'ArrowDown') {
                event.preventDefault()
                scroller.current?.focus()
                lead(0)
              } else if (event.key === 'Enter' && rows[0] && text !== '') {
                event.preventDefault()
                props.onDriver(rows[0].row.id)
              } else if (event.key === 'Escape') {
                event.stopPropagation()
                if (text === '') search.current?.blur()
                props.onText('')
              }
            }}
          />
          <span className="key" aria-hidden="true">
            /
          </span>
        </label>
        <fieldset className="chips">
          <legend className="unseen">{words.filters}</legend>
          {FILTERS.map((f) => (
            <button
              type="button"
              key={f}
              className={`chip chip-${f}`}
              aria-pressed={filter === f}
              onClick={() => props.onFilter(f)}
            >
              {`${words.filter[f]} `}
              <span className="chip-count">{tally[f].toLocaleString('en')}</span>
            </button>
          ))}
        </fieldset>
      </div>
      <div
        ref={scroller}
        className="rows"
        role="listbox"
        tabIndex={0}
        aria-label={words.regions.list}
        aria-activedescendant={at >= 0 && active !== null ? `d-${active}` : undefined}
        onKeyDown={keys}
        onFocus={() => {
          if (active === null && rows[0]) setActive(selected ?? rows[0].row.id)
        }}
      >
        <div role="presentation" className="rows-inner" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const v = rows[item.index]
            if (!v) return null
            return (
              <Row
                key={item.key}
                v={v}
                index={item.index}
                count={rows.length}
                top={item.start}
                active={item.index === at}
                selected={v.row.id === selected}
                onPress={() => {
                  setActive(v.row.id)
                  props.onDriver(v.row.id)
                }}
              />
            )
          })}
        </div>
      </div>
      {!props.ready && <p className="list-empty hush">{words.loadingRoster}</p>}
      {props.ready && rows.length === 0 && orders.length === 0 && (
        <div className="list-empty">
          <p>{tally.all === 0 ? words.noDrivers : words.noMatch}</p>
          <p className="hush">{tally.all === 0 ? words.noDriversHow : words.noMatchHow}</p>
          {tally.all > 0 && (
            <button
              type="button"
              className="link"
              onClick={() => {
                props.onText('')
                props.onFilter('all')
              }}
            >
              {words.showAll}
            </button>
          )}
        </div>
      )}
      {orders.length > 0 && (
        <section className="found" aria-label={words.foundOrders}>
          <h2 className="found-title">{words.foundOrders}</h2>
          <ul>
            {orders.map((order) => (
              <li key={order.id}>
                <button type="button" className="found-row" onClick={() => props.onOrder(order.id)}>
                  <Icon name="box" />
                  <span className="found-main">
                    <b>{order.number}</b> · {order.recipient}
                    <span className="hush">{order.address.label}</span>
                  </span>
                  <span className="hush">{words.order.status[order.status]}</span>
                </button>
              </li>
            ))}
          </ul>
        </section>
      )}
    </>
  )
}

interface RowProps {
  v: Vehicle
  index: number
  count: number
  top: number
  active: boolean
  selected: boolean
  onPress: () => void
}

function Row({ v, index, count, top, active, selected, onPress }: RowProps) {
  const { row, standing: s } = v
  const signal = words.signal(s)
  const left = row.run ? Math.max(0, row.run.stops - row.run.done) : null
  return (
    // biome-ignore lint/a11y/useFocusableInteractive: the listbox holds the focus and names the active option
    // biome-ignore lint/a11y/useKeyWithClickEvents: keys are the listbox's
    <div
      id={`d-${row.id}`}
      role="option"
      aria-selected={selected}
      aria-setsize={count}
      aria-posinset={index + 1}
      className="row"
      data-active={active || undefined}
      data-work={s.work}
      data-silent={isSilent(s) || undefined}
      style={{ transform: `translateY(${top}px)` }}
      onClick={onPress}
    >
      <Mark look={markOf(s)} />
      <span className="row-name">{row.name}</span>
      <span className="row-state">{words.state(s, row.late)}</span>
      <span className="row-what">
        {row.vehicle}
        {' · '}
        {left === null ? words.noRun : words.stopsLeft(left)}
      </span>
      <span className="row-when">
        {signal ? (
          <span className={isSilent(s) ? 'row-silent' : undefined}>{signal}</span>
        ) : row.offRoute && row.run ? (
          <span className="row-off">{words.offRoute}</span>
        ) : row.phase === 'arrived' && row.run ? null : row.window && row.run ? (
          // The window of a door that is reached lies behind.
          <span className="tabular">
            <span className="unseen">{words.nextLabel(row.window)}</span>
            <span aria-hidden="true">
              {clockTime(row.window.from)} – {clockTime(row.window.to)}
            </span>
          </span>
        ) : row.run ? (
          words.unknownWindow
        ) : null}
      </span>
    </div>
  )
}
