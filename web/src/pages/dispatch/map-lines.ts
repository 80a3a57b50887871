// A run and a trail in; lines for the map and the layers that draw them, out. Pure.
import type { RunView } from '@doorstep/shared/api'
import { distance } from '@doorstep/shared/geo'
import { pointAt, type Route, route, slice } from '@doorstep/shared/route'
import { arrivalRing } from '@doorstep/shared/track'
import type { LngLat, Metres } from '@doorstep/shared/units'
import { circle, lineString, nearestPointOnLine } from '@turf/turf'
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
      {
        id: 'run-ring',
        type: 'fill',
        source: 'run',
        filter: ['==', ['get', 'part'], 'ring'],
        paint: {
          'fill-color': dark ? '#8f89ff' : '#4f46e5',
          'fill-opacity': 0.12,
          'fill-outline-color': dark ? '#8f89ff' : '#4f46e5',
        },
      },
      line('run-casing', 'run', ['!=', ['get', 'part'], 'ring'], {
        'line-color': dark ? '#0b0f15' : '#ffffff',
        'line-width': width(5, 11),
      }),
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

/** Metres along the whole route of the point nearest to `at` on the leg that is driven; a leg has no pass but one, so nearest is right. */
function nearestAlong(r: Route, at: LngLat, from: Metres, to: Metres): Metres {
  const leg = slice(r, from, to)
  const { location } = nearestPointOnLine(lineString(leg.map(([lng, lat]) => [lng, lat])), [at[0], at[1]], {
    units: 'meters',
  }).properties
  return Math.min(to, from + location)
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
  // Whoever is inside this ring has arrived.
  if (next) {
    const ring = arrivalRing(distance(next.door, pointAt(r, next.along)))
    features.push(circle([next.door[0], next.door[1]], ring, { units: 'meters', steps: 48, properties: { part: 'ring' } }))
  }
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
