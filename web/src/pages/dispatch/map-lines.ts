// A run and a trail in; lines for the map and the layers that draw them, out. Pure.
import type { RunView } from '@doorstep/shared/api'
import { type Route, route, slice } from '@doorstep/shared/route'
import type { LngLat, Metres } from '@doorstep/shared/units'
import type { MapOptions } from '../../map/port.ts'

type Extra = NonNullable<MapOptions['extra']>

const EMPTY: GeoJSON.FeatureCollection = { type: 'FeatureCollection', features: [] }

export const routeExtra: Extra = (theme) => {
  const dark = theme === 'dark'
  const width = (z11: number, z16: number) => ['interpolate', ['linear'], ['zoom'], 11, z11, 16, z16]
  const line = (id: string, source: string, filter: unknown, paint: Record<string, unknown>) => ({
    id,
    type: 'line',
    source,
    ...(filter ? { filter } : {}),
    layout: { 'line-join': 'round', 'line-cap': 'round' },
    paint,
  })
  return {
    sources: { run: { type: 'geojson', data: EMPTY }, trail: { type: 'geojson', data: EMPTY } },
    layers: [
      line('run-casing', 'run', null, { 'line-color': dark ? '#0b0f15' : '#ffffff', 'line-width': width(5, 11) }),
      line('run-done', 'run', ['==', ['get', 'part'], 'done'], {
        'line-color': dark ? '#566072' : '#a5adba',
        'line-width': width(3, 6),
      }),
      line('run-ahead', 'run', ['==', ['get', 'part'], 'ahead'], {
        'line-color': dark ? '#8f89ff' : '#4f46e5',
        'line-width': width(3, 6.5),
      }),
      {
        ...line('trail', 'trail', null, {
          'line-color': dark ? '#f2f5f9' : '#10141b',
          'line-width': width(1.6, 3),
          'line-dasharray': [0.2, 2.2],
        }),
      },
    ],
  }
}

/** Metres along the route of the last stop that is behind the driver. */
function behind(run: RunView): Metres {
  let along = 0
  for (const stop of run.stops) if (stop.status === 'done' || stop.status === 'failed') along = Math.max(along, stop.along)
  return along
}

/** Metres along of the point nearest to `at` between two places along the route, on a flat earth. */
function nearestAlong(r: Route, at: LngLat, from: Metres, to: Metres): Metres {
  const px = (at[0] - r.line[0]![0]) * r.ruler.kx
  const py = (at[1] - r.line[0]![1]) * r.ruler.ky
  let best = from
  let nearest = Number.POSITIVE_INFINITY
  for (let i = 0; i + 1 < r.cum.length; i++) {
    if (r.cum[i + 1]! < from || r.cum[i]! > to) continue
    const dx = r.x[i + 1]! - r.x[i]!
    const dy = r.y[i + 1]! - r.y[i]!
    const l2 = dx * dx + dy * dy
    const t = l2 > 0 ? Math.min(1, Math.max(0, ((px - r.x[i]!) * dx + (py - r.y[i]!) * dy) / l2)) : 0
    const d = Math.hypot(px - r.x[i]! - dx * t, py - r.y[i]! - dy * t)
    if (d >= nearest) continue
    nearest = d
    best = r.cum[i]! + Math.sqrt(l2) * t
  }
  return Math.min(to, Math.max(from, best))
}

/** The route in two parts: driven, up to `at` on the way to the next stop (else up to the last finished one), and ahead. */
export function runLines(run: RunView | null, at: LngLat | null = null): GeoJSON.FeatureCollection {
  if (!run || run.route.line.length < 2) return EMPTY
  const r = route(run.route.line)
  const past = Math.min(behind(run), r.length)
  const next = run.stops.find((s) => (s.status === 'pending' || s.status === 'arrived') && s.along >= past)
  const cut = at ? nearestAlong(r, at, past, Math.min(next?.along ?? r.length, r.length)) : past
  const feature = (part: string, line: readonly LngLat[]): GeoJSON.Feature => ({
    type: 'Feature',
    properties: { part },
    geometry: { type: 'LineString', coordinates: line.map((p) => [p[0], p[1]]) },
  })
  const features: GeoJSON.Feature[] = []
  if (cut > 1) features.push(feature('done', slice(r, 0, cut)))
  if (cut < r.length - 1) features.push(feature('ahead', slice(r, cut, r.length)))
  return { type: 'FeatureCollection', features }
}

export const trailLine = (trail: readonly LngLat[]): GeoJSON.FeatureCollection =>
  trail.length < 2
    ? EMPTY
    : {
        type: 'FeatureCollection',
        features: [
          { type: 'Feature', properties: {}, geometry: { type: 'LineString', coordinates: trail.map((p) => [p[0], p[1]]) } },
        ],
      }
