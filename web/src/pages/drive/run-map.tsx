// A run and where the phone is in; the way, its numbered doors and the driver's own dot on a map out. Loaded only when it is opened.
import type { CityInfo } from '@doorstep/shared/api'
import type { LngLat } from '@doorstep/shared/units'
import { useEffect, useRef, useState } from 'react'
import '../../map/map.css'
import { createMap } from '../../map/engine.ts'
import type { MapPort, Overlay, Theme } from '../../map/port.ts'
import { useReducedMotion, useTheme } from '../../ui/theme.ts'
import { words } from '../../ui/words-drive.ts'
import type { Day } from './day.ts'

const layers = (theme: Theme): { sources: Record<string, unknown>; layers: unknown[] } => {
  const layout = { 'line-cap': 'round', 'line-join': 'round' }
  const paint = (color: string, width: number) => ({ 'line-color': color, 'line-width': width })
  const dark = theme === 'dark'
  return {
    sources: { run: { type: 'geojson', data: asLine([]) } },
    layers: [
      { id: 'run-case', type: 'line', source: 'run', layout, paint: paint(dark ? '#0e1218' : '#ffffff', 8) },
      { id: 'run', type: 'line', source: 'run', layout, paint: paint(dark ? '#8b93ff' : '#4f46e5', 4.5) },
    ],
  }
}
const asLine = (line: readonly LngLat[]): GeoJSON.Feature => ({
  type: 'Feature',
  properties: {},
  geometry: { type: 'LineString', coordinates: line.map((p) => [p[0], p[1]]) },
})

export default function RunMap({ day, me }: { day: Day; me: LngLat | null }) {
  const box = useRef<HTMLDivElement>(null)
  const [port, setPort] = useState<MapPort | null>(null)
  const [failed, setFailed] = useState(false)
  const [theme] = useTheme()
  const reducedMotion = useReducedMotion()
  const first = useRef({ theme, reducedMotion, center: day.next?.stop.door ?? day.stops[0]!.stop.door })
  const dot = useRef<Overlay | null>(null)

  useEffect(() => {
    let over = false
    let made: MapPort | null = null
    const begin = async () => {
      const city = (await (await fetch('/v1/city')).json()) as CityInfo
      if (over || !box.current) return
      made = await createMap({
        container: box.current,
        ...first.current,
        ...city,
        center: first.current.center,
        zoom: 13,
        extra: layers,
      })
      if (over) made.destroy()
      else setPort(made)
    }
    begin().catch(() => {
      if (!over) setFailed(true)
    })
    return () => {
      over = true
      made?.destroy()
      dot.current = null
    }
  }, [])

  useEffect(() => port?.setTheme(theme), [port, theme])
  useEffect(() => {
    if (!port || day.line.length < 2) return
    port.setData('run', asLine(day.line))
    const lngs = day.line.map((p) => p[0])
    const lats = day.line.map((p) => p[1])
    const corners = [
      [Math.min(...lngs), Math.min(...lats)],
      [Math.max(...lngs), Math.max(...lats)],
    ] as const
    port.fit(corners, { padding: 40, animate: false, maxZoom: 16 })
  }, [port, day.line])
  useEffect(() => {
    if (!port) return
    const pins = day.stops.map((s) => {
      const pin = document.createElement('div')
      pin.className = `drive-pin drive-pin-${s === day.next ? 'next' : s.status}`
      pin.textContent = String(s.number)
      return port.overlay(pin, s.stop.door)
    })
    return () => {
      for (const pin of pins) pin.remove()
    }
  }, [port, day])
  useEffect(() => {
    if (!port || !me) return
    if (dot.current) return dot.current.move(me)
    const here = document.createElement('div')
    here.className = 'drive-me'
    dot.current = port.overlay(here, me)
  }, [port, me])

  if (failed) return <p className="hush">{words.map.failed}</p>
  return <div ref={box} className="drive-map-canvas" />
}
