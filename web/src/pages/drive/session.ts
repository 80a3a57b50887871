// A device token in; one driver's session out: queue, uplink, GPS and screen lock, as one value that the page draws.
import { openActs, type RefusedAct } from '@doorstep/shared/acts'
import type { FailReason } from '@doorstep/shared/order'
import { openOutbox } from '@doorstep/shared/outbox'
import type { DriverAct } from '@doorstep/shared/protocol'
import { type Clock, openUplink, UPLINK_SOCKET, type Uplink, type UplinkState } from '@doorstep/shared/uplink'
import { io } from 'socket.io-client'
import { type Day, day } from './day.ts'
import { type GpsState, openGps } from './gps.ts'
import { nameOf, openStorage } from './storage.ts'

export interface DriveView {
  /** elsewhere: another page of this browser holds the queue. */
  readonly stage: 'opening' | 'ready' | 'elsewhere'
  readonly day: Day
  readonly link: Pick<UplinkState, 'link' | 'why' | 'retryAt' | 'unsaved' | 'clockAhead'>
  readonly online: boolean
  readonly duty: boolean
  readonly gps: GpsState
  readonly queued: number
  readonly kept: number
  readonly thinned: number
  readonly acts: number
  readonly refused: readonly RefusedAct[]
  /** False: a fix could not be stored, or this browser forgets everything with the page. */
  readonly safe: boolean
  readonly awake: boolean
}
export interface DriveSession {
  get(): DriveView
  subscribe(listener: () => void): () => void
  setDuty(on: boolean): void
  act(type: DriverAct['type'], stopId: string, why?: { reason: FailReason; note?: string }): void
  dismiss(idemKey: string): void
  /** Takes the queue over from another page. */
  useHere(): void
}

const clock: Clock = {
  now: () => Date.now(),
  after: (ms, run) => {
    const timer = setTimeout(run, ms)
    return () => clearTimeout(timer)
  },
}
const randomHex = (bytes: number): string =>
  [...crypto.getRandomValues(new Uint8Array(bytes))].map((b) => b.toString(16).padStart(2, '0')).join('')

export function openSession(token: string): DriveSession {
  const listeners = new Set<() => void>()
  let view: DriveView = {
    stage: 'opening',
    day: day(null, [], new Set()),
    link: { link: 'closed', why: null, retryAt: null, unsaved: false, clockAhead: null },
    online: navigator.onLine,
    duty: false,
    gps: { kind: 'off' },
    queued: 0,
    kept: 0,
    thinned: 0,
    acts: 0,
    refused: [],
    safe: true,
    awake: false,
  }
  const set = (change: Partial<DriveView>): void => {
    view = { ...view, ...change }
    for (const listener of listeners) listener()
  }
  let live: { uplink: Uplink; setDuty: (on: boolean) => void; act: (act: DriverAct) => void } | null = null

  const open = async (name: string, gone: AbortSignal): Promise<void> => {
    const storage = await openStorage(name)
    const outbox = await openOutbox(storage.fixes, { newQid: () => randomHex(8) })
    const acts = await openActs(storage.acts)
    let known = await storage.loadRun()
    /** All that was done here and not refused; what the server knows is no longer looked at. */
    let done: readonly DriverAct[] = acts.open
    let unsafe = !storage.durable

    const draw = (): void => {
      const { link, why, retryAt, unsaved, clockAhead, run } = uplink.state
      if (run !== known) {
        known = run
        storage.saveRun(run)
      }
      set({
        stage: 'ready',
        day: day(run, done, new Set(acts.open.map((a) => a.idemKey))),
        link: { link, why, retryAt, unsaved, clockAhead },
        queued: outbox.queued,
        kept: outbox.head.kept,
        thinned: outbox.head.thinned,
        acts: acts.open.length,
        safe: !unsafe,
      })
    }
    const socket = io(`${location.origin}/driver`, { ...UPLINK_SOCKET, auth: { token }, timeout: 8000 })
    const uplink = openUplink({
      socket,
      outbox,
      acts,
      run: known,
      clock,
      random: Math.random,
      onChange: draw,
      onRefused: (refused) => {
        done = done.filter((a) => a.idemKey !== refused.act.idemKey)
        set({ refused: [...view.refused, refused] })
      },
    })
    const gps = openGps({
      interval: () => uplink.state.policy.interval,
      onState: (state) => set({ gps: state }),
      onFix: (fix) =>
        void uplink.add(fix).then((stored) => {
          if (stored.ok || unsafe) return
          unsafe = true
          draw()
        }),
    })
    const screen = openScreen((awake) => set({ awake }))
    const setDuty = (on: boolean): void => {
      remember(name, on)
      set({ duty: on })
      if (on) {
        gps.start()
        screen.hold()
        // Without it a browser short of space may empty the queue.
        void navigator.storage?.persist?.().catch(() => false)
      } else {
        gps.stop()
        screen.release()
      }
    }
    const woken = (): void => {
      if (document.visibilityState !== 'visible') return
      uplink.nudge()
      gps.ask()
      if (view.duty) screen.hold()
    }
    const net = (): void => {
      set({ online: navigator.onLine })
      if (navigator.onLine) uplink.nudge()
    }
    addEventListener('online', net, { signal: gone })
    addEventListener('offline', net, { signal: gone })
    addEventListener('pageshow', woken, { signal: gone })
    document.addEventListener('visibilitychange', woken, { signal: gone })
    gone.addEventListener('abort', () => {
      gps.stop()
      screen.release()
      uplink.stop()
      live = null
    })
    live = {
      uplink,
      setDuty,
      act: (act) => {
        done = [...done, act]
        void uplink.act(act).catch(() => {
          // It could not be stored: it is as if it had not been done, and the driver is told.
          done = done.filter((a) => a !== act)
          unsafe = true
          draw()
        })
        draw()
      },
    }
    draw()
    uplink.start()
    if (remembered(name)) setDuty(true)
  }

  // Two pages on one queue would both send it and both delete from it: one holds the lock, the other says so.
  const hold = async (steal: boolean): Promise<void> => {
    const name = await nameOf(token)
    const gone = new AbortController()
    const forever = new Promise<never>(() => {})
    if (!navigator.locks) return open(name, gone.signal)
    await navigator.locks
      .request(name, steal ? { steal: true } : { ifAvailable: true }, async (lock) => {
        if (!lock) return set({ stage: 'elsewhere' })
        await open(name, gone.signal)
        await forever
      })
      .catch(() => {
        gone.abort()
        set({ stage: 'elsewhere', duty: false })
      })
  }
  void hold(false)

  return {
    get: () => view,
    subscribe(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    setDuty: (on) => live?.setDuty(on),
    act: (type, stopId, why) => live?.act({ idemKey: randomHex(16), type, stopId, at: Date.now(), ...why }),
    dismiss: (idemKey) => set({ refused: view.refused.filter((r) => r.act.idemKey !== idemKey) }),
    useHere: () => void hold(true),
  }
}

/** Keeps the screen on while it may: a locked phone stops its GPS. Refusals are no fault; it is asked again when the page is seen. */
function openScreen(tell: (awake: boolean) => void): { hold(): void; release(): void } {
  let wanted = false
  let lock: WakeLockSentinel | null = null
  return {
    hold() {
      wanted = true
      if (lock && !lock.released) return
      void navigator.wakeLock
        ?.request('screen')
        .then((held) => {
          if (!wanted) return held.release()
          lock = held
          tell(true)
          held.addEventListener('release', () => tell(false))
        })
        .catch(() => tell(false))
    },
    release() {
      wanted = false
      void lock?.release().catch(() => {})
      lock = null
      tell(false)
    },
  }
}

const remember = (name: string, duty: boolean): void => {
  try {
    localStorage.setItem(`${name}.duty`, duty ? '1' : '0')
  } catch {
    // A browser that keeps nothing asks again after a reload.
  }
}
const remembered = (name: string): boolean => {
  try {
    return localStorage.getItem(`${name}.duty`) === '1'
  } catch {
    return false
  }
}
