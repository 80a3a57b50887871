// Places of thousands of vehicles in, one WebGL layer out: one array uploaded a batch, the GPU glides, turns and draws them.
import type { LngLat } from '@doorstep/shared/units'
import type { CustomLayer, MapPort } from './port.ts'

/** How a vehicle looks. Shape says it as well as colour: arrow disc, square, double-ringed arrow, hollow disc, small diamond. */
export type Look = 'enroute' | 'at_stop' | 'late' | 'silent' | 'idle'
export interface Mark {
  readonly look: Look
  readonly selected: boolean
  /** Filtered out of the list: drawn faint, and not picked. */
  readonly dim: boolean
  readonly offRoute: boolean
}
export type Rgb = readonly [r: number, g: number, b: number]
/** Colours 0–1. `ink` rings the selected one, `ring` parts a vehicle from the map. */
export interface Palette extends Readonly<Record<Look, Rgb>> {
  readonly ring: Rgb
  readonly ink: Rgb
}

export interface FleetLayer {
  readonly layer: CustomLayer
  /** The vehicle in `slot` goes to `at` within `seconds`, from wherever it is shown now. Heading in degrees; null: as it moves. */
  place(slot: number, at: LngLat, heading: number | null, seconds: number): void
  mark(slot: number, mark: Mark): void
  remove(slot: number): void
  /** Shows what was placed and marked since the last commit: one upload and one repaint. */
  commit(): void
  /** Where the vehicle is drawn at this moment; null for an empty slot. */
  shown(slot: number): LngLat | null
  /** The slot drawn nearest to a place, within `radius` pixels of a map that has `metresPerPixel`; −1 when there is none. */
  pick(at: LngLat, radius: number, metresPerPixel: number): number
  setPalette(palette: Palette): void
  /** True: everybody but the selected one steps back. */
  setQuiet(quiet: boolean): void
  /** True: positions step, nothing glides (reduced motion). */
  setStill(still: boolean): void
  /** Since the last call: frames drawn, milliseconds spent drawing on the CPU, uploads. For measuring. */
  figures(): { frames: number; drawMs: number; uploads: number }
}
export interface FleetLayerOptions {
  id: string
  /** A place near the fleet: positions are kept relative to it, so that 32 bits suffice at every zoom. */
  origin: LngLat
  capacity: number
  palette: Palette
  still: boolean
  /** Seconds, monotonic. */
  now: () => number
  /** Asked before each further frame: a hidden page draws none. */
  hidden: () => boolean
}

// One vehicle: from x y · to x y · start, duration, heading, turn · look
const STRIDE = 9
const [FROM, TO, START, SPAN, HEADING, TURN, LOOK] = [0, 2, 4, 5, 6, 7, 8] as const
const LOOKS: readonly Look[] = ['enroute', 'at_stop', 'late', 'silent', 'idle']
const [SELECTED, DIM, OFF_ROUTE, EMPTY] = [8, 16, 32, 7] as const
/** It may overshoot its last place by this part of the way while the next one is awaited, then it stands. */
const OVERSHOOT = 1.15
/** A vehicle that is this much nearer in time than in space has not driven there: it is set down, not flown (mercator units, 600 m at 57° N). */
const LEAP = 2.8e-5
/** Start times are float32 on the GPU: after an hour they are counted anew, to keep them within 0.25 ms. */
const REBASE = 3600

// Both stages declare highp: a uniform that they share must have one precision, or the program does not link.
const VERTEX = `#version 300 es
precision highp float;
layout(location=0) in vec2 a_corner;
layout(location=1) in vec4 a_path;
layout(location=2) in vec4 a_time;
layout(location=3) in float a_look;
uniform mat4 u_matrix; uniform vec2 u_pixel; uniform float u_now; uniform float u_radius; uniform float u_still; uniform float u_bearing; uniform float u_pass;
out vec2 v_p; out vec2 v_q; flat out int v_look; flat out float v_radius;
void main() {
  int look = int(a_look + .5);
  int kind = look & 7;
  bool top = kind == 2 || (look & 8) != 0;
  v_look = look;
  if (kind == 7 || top != (u_pass > .5)) { gl_Position = vec4(2., 2., 2., 1.); v_p = v_q = vec2(0.); v_radius = 1.; return; }
  float t = u_still > .5 ? 1. : clamp((u_now - a_time.x) / max(a_time.y, .001), 0., ${OVERSHOOT});
  float r = u_radius * (kind == 4 ? .72 : kind == 3 ? .86 : 1.) * ((look & 8) != 0 ? 1.3 : 1.);
  float h = a_time.z + a_time.w * min(1., t * 2.5) - u_bearing;
  vec2 p = a_corner * (r * 1.75);
  v_p = p; v_q = vec2(p.x * cos(h) - p.y * sin(h), p.x * sin(h) + p.y * cos(h)); v_radius = r;
  vec4 at = u_matrix * vec4(mix(a_path.xy, a_path.zw, t), 0., 1.);
  gl_Position = at + vec4(p * u_pixel * at.w, 0., 0.);
}`
const FRAGMENT = `#version 300 es
precision highp float;
in vec2 v_p; in vec2 v_q; flat in int v_look; flat in float v_radius; out vec4 o;
uniform vec3 u_colors[5]; uniform vec3 u_ring; uniform vec3 u_ink; uniform float u_dpr; uniform float u_quiet;
float box(vec2 p, float half_, float round_) { vec2 q = abs(p) - half_ + round_; return length(max(q, 0.)) + min(max(q.x, q.y), 0.) - round_; }
float arrow(vec2 p) {
  p.x = abs(p.x);
  vec2 a = vec2(0., .60), b = vec2(.42, -.46), c = vec2(0., -.22), ab = b - a, ap = p - a, bc = c - b, bp = p - b;
  return max((ab.x * ap.y - ab.y * ap.x) / length(ab), (bc.x * bp.y - bc.y * bp.x) / length(bc));
}
float cover(float d) { return clamp(.5 - d, 0., 1.); }
vec4 over(vec4 top, vec4 under) { return top + under * (1. - top.a); }
vec4 ink(vec3 c, float a) { return vec4(c * a, a); }
void main() {
  int kind = v_look & 7;
  float r = v_radius, edge = 1.6 * u_dpr;
  vec3 colour = u_colors[kind];
  float d = kind == 1 ? box(v_p, r * .92, r * .36) : kind == 4 ? box(mat2(.7071, -.7071, .7071, .7071) * v_p, r * .78, r * .16) : length(v_p) - r;
  vec4 c = vec4(0.);
  if ((v_look & 8) != 0) c = over(ink(u_ink, cover(d - (kind == 2 ? 6.4 : 4.2) * u_dpr)), c);
  if (kind == 2) { c = over(ink(u_ring, cover(d - 4. * u_dpr)), c); c = over(ink(colour, cover(d - 2.6 * u_dpr)), c); }
  if ((v_look & 32) != 0) { float dash = step(.5, fract(atan(v_p.y, v_p.x) * 1.2732)); c = over(ink(colour, cover(abs(d - 3.2 * u_dpr) - 1. * u_dpr) * dash), c); }
  c = over(ink(u_ring, cover(d - (kind == 2 ? .6 : 0.) * u_dpr)), c);
  c = over(ink(colour, cover(d + edge)), c);
  if (kind == 3) { c = over(ink(u_ring, cover(d + edge * 2.5)), c); c = over(ink(colour, cover(box(v_p * vec2(.55, 1.6), r * .24, r * .1))), c); }
  else if (kind == 1) c = over(ink(u_ring, cover(length(v_p) - r * .34)), c);
  else if (kind != 4) c = over(ink(u_ring, cover(arrow(v_q / r) * r)), c);
  o = c * ((v_look & 16) != 0 ? .16 : (v_look & 8) != 0 ? 1. : u_quiet);
  if (o.a < .004) discard;
}`

const RAD = Math.PI / 180
/** Web mercator, 0–1 east and south (EPSG:3857 scaled to one). */
const mercator = ([lng, lat]: LngLat): [number, number] => [
  (lng + 180) / 360,
  0.5 - Math.log(Math.tan(Math.PI / 4 + (lat * RAD) / 2)) / (2 * Math.PI),
]
const fromMercator = (x: number, y: number): LngLat => [
  x * 360 - 180,
  (Math.atan(Math.sinh(Math.PI * (1 - 2 * y))) * 2 * 90) / Math.PI,
]

export function fleetLayer(options: FleetLayerOptions): FleetLayer {
  let values = new Float32Array(options.capacity * STRIDE)
  for (let i = 0; i < options.capacity; i++) values[i * STRIDE + LOOK] = EMPTY
  let used = 0
  const origin = mercator(options.origin)
  let epoch = options.now()
  let palette = options.palette
  let still = options.still
  let quiet = false
  let dirty = true
  let movingUntil = 0
  let pending = false
  let width = 0
  let dpr = 1
  let colours = colourList(palette)
  const figures = { frames: 0, drawMs: 0, uploads: 0 }

  let map: MapPort | null = null
  let gpu: Gpu | null = null

  const clock = (): number => options.now() - epoch
  // One reading of the clock serves a whole batch: 5,000 of them cost more than everything else that `place` does.
  let stamp = Number.NaN

  function progress(o: number, now: number): number {
    if (still) return 1
    return Math.min(OVERSHOOT, Math.max(0, (now - values[o + START]!) / Math.max(values[o + SPAN]!, 0.001)))
  }

  function grow(slot: number): void {
    const bigger = new Float32Array(Math.max(slot + 1, Math.ceil(values.length / STRIDE) * 2) * STRIDE)
    bigger.set(values)
    for (let i = values.length / STRIDE; i < bigger.length / STRIDE; i++) bigger[i * STRIDE + LOOK] = EMPTY
    values = bigger
  }

  function rebase(now: number): void {
    for (let i = 0; i < used; i++) values[i * STRIDE + START]! -= now
    movingUntil -= now
    epoch += now
    dirty = true
  }

  /** Asks for the next frame while anything moves: as many a second as the eye can tell apart at this zoom, at most 30. */
  function again(): void {
    if (pending || !map || still || options.hidden() || clock() >= movingUntil) return
    pending = true
    const pixelsASecond = 14 / metresPerPixel(map)
    const fps = Math.min(30, Math.max(4, pixelsASecond * 5))
    setTimeout(() => {
      pending = false
      if (!options.hidden()) map?.repaint()
    }, 1000 / fps)
  }

  const layer: CustomLayer = {
    id: options.id,
    onAdd(gl, port) {
      map = port
      gpu = program(gl)
      dirty = true
    },
    onRemove(gl) {
      if (gpu) release(gl, gpu)
      gpu = null
      map = null
    },
    render(gl, matrix) {
      if (!gpu || !map) return
      const began = performance.now()
      const now = clock()
      // biome-ignore lint/correctness/useHookAtTopLevel: WebGL, not React
      gl.useProgram(gpu.program)
      gl.bindVertexArray(gpu.array)
      if (dirty) {
        gl.bindBuffer(gl.ARRAY_BUFFER, gpu.buffer)
        if (gpu.bytes < values.byteLength) {
          gl.bufferData(gl.ARRAY_BUFFER, values.byteLength, gl.DYNAMIC_DRAW)
          gpu.bytes = values.byteLength
        }
        gl.bufferSubData(gl.ARRAY_BUFFER, 0, values, 0, used * STRIDE)
        dirty = false
        figures.uploads++
      }
      if (gl.drawingBufferWidth !== width) {
        // Asking for the width lays the page out: once a size, not once a frame.
        width = gl.drawingBufferWidth
        dpr = width / Math.max(1, (gl.canvas as HTMLCanvasElement).clientWidth)
      }
      const zoom = map.zoom()
      gl.uniformMatrix4fv(gpu.at.u_matrix!, false, translated(matrix, origin))
      gl.uniform2f(gpu.at.u_pixel!, 2 / gl.drawingBufferWidth, 2 / gl.drawingBufferHeight)
      gl.uniform1f(gpu.at.u_now!, now)
      gl.uniform1f(gpu.at.u_radius!, radiusAt(zoom) * dpr)
      gl.uniform1f(gpu.at.u_still!, still ? 1 : 0)
      gl.uniform1f(gpu.at.u_bearing!, map.bearing() * RAD)
      gl.uniform1f(gpu.at.u_dpr!, dpr)
      gl.uniform1f(gpu.at.u_quiet!, quiet ? 0.42 : 1)
      gl.uniform3fv(gpu.at.u_colors!, colours)
      gl.uniform3f(gpu.at.u_ring!, ...palette.ring)
      gl.uniform3f(gpu.at.u_ink!, ...palette.ink)
      // The engine leaves its own state behind.
      gl.enable(gl.BLEND)
      gl.blendFunc(gl.ONE, gl.ONE_MINUS_SRC_ALPHA)
      gl.disable(gl.DEPTH_TEST)
      gl.disable(gl.STENCIL_TEST)
      gl.disable(gl.CULL_FACE)
      for (const pass of [0, 1]) {
        gl.uniform1f(gpu.at.u_pass!, pass)
        gl.drawArraysInstanced(gl.TRIANGLE_STRIP, 0, 4, used)
      }
      gl.bindVertexArray(null)
      figures.frames++
      figures.drawMs += performance.now() - began
      again()
    },
  }

  return {
    layer,
    place(slot, at, heading, seconds) {
      if ((slot + 1) * STRIDE > values.length) grow(slot)
      if (slot >= used) used = slot + 1
      if (Number.isNaN(stamp)) {
        if (clock() > REBASE) rebase(clock())
        stamp = clock()
      }
      const start = stamp
      const o = slot * STRIDE
      const [mx, my] = mercator(at)
      const x = mx - origin[0]
      const y = my - origin[1]
      const fresh = values[o + LOOK] === EMPTY
      if (fresh) values[o + LOOK] = 0
      const t = progress(o, start)
      const fromX = fresh ? x : values[o + FROM]! + (values[o + TO]! - values[o + FROM]!) * t
      const fromY = fresh ? y : values[o + FROM + 1]! + (values[o + TO + 1]! - values[o + FROM + 1]!) * t
      const shownHeading = values[o + HEADING]! + values[o + TURN]! * Math.min(1, t * 2.5)
      const dx = x - fromX
      const dy = y - fromY
      const leap = fresh || Math.abs(dx) + Math.abs(dy) > LEAP
      // Less than about a metre and a half of movement says nothing of a direction.
      const wanted =
        heading !== null ? heading * RAD : Math.abs(dx) + Math.abs(dy) > 7e-8 && !leap ? Math.atan2(dx, -dy) : shownHeading
      values[o + FROM] = leap ? x : fromX
      values[o + FROM + 1] = leap ? y : fromY
      values[o + TO] = x
      values[o + TO + 1] = y
      values[o + START] = start
      values[o + SPAN] = seconds
      values[o + HEADING] = fresh ? wanted : shownHeading
      values[o + TURN] = fresh ? 0 : around(wanted - shownHeading)
      if (!leap && (dx !== 0 || dy !== 0)) movingUntil = Math.max(movingUntil, start + seconds * OVERSHOOT)
      dirty = true
    },
    mark(slot, mark) {
      if ((slot + 1) * STRIDE > values.length || slot >= used) return
      const code =
        LOOKS.indexOf(mark.look) + (mark.selected ? SELECTED : 0) + (mark.dim ? DIM : 0) + (mark.offRoute ? OFF_ROUTE : 0)
      if (values[slot * STRIDE + LOOK] === code || values[slot * STRIDE + LOOK] === EMPTY) return
      values[slot * STRIDE + LOOK] = code
      dirty = true
    },
    remove(slot) {
      if (slot >= used) return
      values[slot * STRIDE + LOOK] = EMPTY
      dirty = true
    },
    commit() {
      stamp = Number.NaN
      if (!map || options.hidden()) return
      if (dirty) map.repaint()
      else again()
    },
    shown(slot) {
      if (slot < 0 || slot >= used || values[slot * STRIDE + LOOK] === EMPTY) return null
      const o = slot * STRIDE
      const t = progress(o, clock())
      return fromMercator(
        origin[0] + values[o + FROM]! + (values[o + TO]! - values[o + FROM]!) * t,
        origin[1] + values[o + FROM + 1]! + (values[o + TO + 1]! - values[o + FROM + 1]!) * t,
      )
    },
    pick(at, radius, mpp) {
      const now = clock()
      const [mx, my] = mercator(at)
      // Metres per mercator unit at this latitude: circumference × cos(lat).
      const reach = (radius * mpp) / (40_075_016.686 * Math.cos(at[1] * RAD))
      let best = -1
      let nearest = reach * reach
      for (let slot = 0; slot < used; slot++) {
        const o = slot * STRIDE
        const look = values[o + LOOK]!
        if (look === EMPTY || (look & DIM) !== 0) continue
        const t = progress(o, now)
        const dx = origin[0] + values[o + FROM]! + (values[o + TO]! - values[o + FROM]!) * t - mx
        const dy = origin[1] + values[o + FROM + 1]! + (values[o + TO + 1]! - values[o + FROM + 1]!) * t - my
        const d2 = dx * dx + dy * dy
        if (d2 <= nearest) {
          nearest = d2
          best = slot
        }
      }
      return best
    },
    setPalette(next) {
      palette = next
      colours = colourList(next)
      map?.repaint()
    },
    setQuiet(next) {
      quiet = next
      map?.repaint()
    },
    setStill(next) {
      still = next
      map?.repaint()
    },
    figures() {
      const out = { ...figures }
      figures.frames = figures.drawMs = figures.uploads = 0
      return out
    },
  }
}

/** Metres that one CSS pixel of the map's middle spans, at 512-pixel tiles. */
export function metresPerPixel(map: MapPort): number {
  const [, south, , north] = map.bounds()
  return (40_075_016.686 * Math.cos(((south + north) / 2) * RAD)) / (512 * 2 ** map.zoom())
}

/** Radius of a vehicle in CSS pixels: small over the whole city, large in a street. */
const radiusAt = (zoom: number): number => Math.min(11.5, Math.max(7, 7 + (zoom - 12) * 1.5))

const colourList = (palette: Palette): Float32Array => Float32Array.from(LOOKS.flatMap((look) => [...palette[look]]))

/** The signed shortest turn, radians. */
const around = (angle: number): number => {
  const turned = (angle + Math.PI) % (2 * Math.PI)
  return (turned < 0 ? turned + 2 * Math.PI : turned) - Math.PI
}

/** The matrix for positions relative to the origin, moved in doubles: in 32 bits vehicles would tremble from zoom 17 on. */
function translated(matrix: Float64Array, [x, y]: readonly [number, number]): Float32Array {
  const out = Float64Array.from(matrix)
  for (let k = 0; k < 4; k++) out[12 + k]! += matrix[k]! * x + matrix[4 + k]! * y
  return Float32Array.from(out)
}

interface Gpu {
  program: WebGLProgram
  array: WebGLVertexArrayObject
  buffer: WebGLBuffer
  corners: WebGLBuffer
  bytes: number
  at: Record<string, WebGLUniformLocation | null>
}

function program(gl: WebGL2RenderingContext): Gpu {
  const linked = gl.createProgram()
  for (const [kind, source] of [
    [gl.VERTEX_SHADER, VERTEX],
    [gl.FRAGMENT_SHADER, FRAGMENT],
  ] as const) {
    const shader = gl.createShader(kind)
    if (!shader) throw new Error('the graphics context is lost')
    gl.shaderSource(shader, source)
    gl.compileShader(shader)
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(`fleet shader: ${gl.getShaderInfoLog(shader)}`)
    gl.attachShader(linked, shader)
    gl.deleteShader(shader)
  }
  gl.linkProgram(linked)
  if (!gl.getProgramParameter(linked, gl.LINK_STATUS)) throw new Error(`fleet program: ${gl.getProgramInfoLog(linked)}`)
  const names = [
    'u_matrix',
    'u_pixel',
    'u_now',
    'u_radius',
    'u_still',
    'u_bearing',
    'u_pass',
    'u_dpr',
    'u_quiet',
    'u_colors',
    'u_ring',
    'u_ink',
  ]
  const array = gl.createVertexArray()
  const corners = gl.createBuffer()
  const buffer = gl.createBuffer()
  gl.bindVertexArray(array)
  gl.bindBuffer(gl.ARRAY_BUFFER, corners)
  gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 1, -1, -1, 1, 1, 1]), gl.STATIC_DRAW)
  gl.enableVertexAttribArray(0)
  gl.vertexAttribPointer(0, 2, gl.FLOAT, false, 0, 0)
  gl.bindBuffer(gl.ARRAY_BUFFER, buffer)
  for (const [location, size, first] of [
    [1, 4, FROM],
    [2, 4, START],
    [3, 1, LOOK],
  ] as const) {
    gl.enableVertexAttribArray(location)
    gl.vertexAttribPointer(location, size, gl.FLOAT, false, STRIDE * 4, first * 4)
    gl.vertexAttribDivisor(location, 1)
  }
  gl.bindVertexArray(null)
  return {
    program: linked,
    array,
    buffer,
    corners,
    bytes: 0,
    at: Object.fromEntries(names.map((n) => [n, gl.getUniformLocation(linked, n)])),
  }
}

function release(gl: WebGL2RenderingContext, gpu: Gpu): void {
  gl.deleteProgram(gpu.program)
  gl.deleteVertexArray(gpu.array)
  gl.deleteBuffer(gpu.buffer)
  gl.deleteBuffer(gpu.corners)
}
