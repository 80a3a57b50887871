// The map of one delivery: the door, the vehicle gliding to it, the way ahead, and a camera that follows until the person takes it.
import type { CityInfo } from '@doorstep/shared/api'
import type { TrackView } from '@doorstep/shared/track'
import type { LngLat } from '@doorstep/shared/units'
import { useEffect, useRef, useState } from 'react'
import type { Watch } from '../../feed/watch.ts'
import { createMap } from '../../map/engine.ts'
import type { Theme } from '../../map/port.ts'
import { Button } from '../../ui/controls.tsx'
import { words } from '../../ui/words.ts'
import { type DeliveryScene, deliveryScene, wayLayers } from './scene.ts'

interface Props {
  door: LngLat
  track: TrackView
  path: Watch['path']
  /** Server clock minus page clock, ms. */
  offset: number
  vehicle: 'live' | 'grey' | 'none'
  /** Server clock; a new value each second. */
  now: number
  theme: Theme
  reducedMotion: boolean
  onNoMap: () => void
}

/** What is known without the server: enough to draw the door. */
const unknownCity = (door: LngLat): Pick<CityInfo, 'bbox' | 'attribution' | 'mapboxToken'> => ({
  bbox: [door[0] - 0.1, door[1] - 0.05, door[0] + 0.1, door[1] + 0.05],
  attribution: '© OpenStreetMap contributors',
  mapboxToken: null,
})

const askCity = async (door: LngLat) => {
  try {
    const response = await fetch('/v1/city', { signal: AbortSignal.timeout(5_000) })
    return response.ok ? ((await response.json()) as CityInfo) : unknownCity(door)
  } catch {
    return unknownCity(door)
  }
}

export default function LiveMap(props: Props) {
  const { door, track, path, offset, vehicle, now, theme, reducedMotion, onNoMap } = props
  const container = useRef<HTMLDivElement>(null)
  const [scene, setScene] = useState<DeliveryScene | null>(null)
  const [following, setFollowing] = useState(true)
  const start = useRef({ door, theme, onNoMap })
  const clock = useRef(offset)
  clock.current = offset

  useEffect(() => {
    const { door: at, theme: first, onNoMap: fail } = start.current
    let over = false
    let made: DeliveryScene | null = null
    const begin = async () => {
      const city = await askCity(at)
      if (over || !container.current) return
      const port = await createMap({
        container: container.current,
        theme: first,
        center: at,
        zoom: 14.5,
        bbox: city.bbox,
        attribution: city.attribution,
        mapboxToken: city.mapboxToken,
        reducedMotion,
        extra: wayLayers,
      })
      if (over) return port.destroy()
      made = deliveryScene(port, at, { serverNow: () => Date.now() + clock.current, reducedMotion, onFollow: setFollowing })
      setScene(made)
    }
    begin().catch((fault: unknown) => {
      if (over) return
      console.warn('no map:', fault instanceof Error ? fault.message : fault)
      fail()
    })
    return () => {
      over = true
      made?.destroy()
      setScene(null)
    }
  }, [reducedMotion])

  useEffect(() => scene?.setTheme(theme), [scene, theme])
  useEffect(() => {
    scene?.show({ track, path, vehicle }, now)
  }, [scene, track, path, vehicle, now])

  return (
    <>
      <div ref={container} className="map-canvas" />
      {!following && vehicle !== 'none' && (
        <Button className="map-follow" float icon="follow" onClick={() => scene?.follow()}>
          {words.follow}
        </Button>
      )}
    </>
  )
}
