// web/*.html and src/ in, web/dist out: three pages, hashed assets, a manifest, and each file beside its .br and .gz.
import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'
import { compress } from './scripts/compress.mjs'

const root = dirname(fileURLToPath(import.meta.url))

/** The pages' addresses in `vite dev`, as the server gives them: /t/:token, /dispatch, /drive/:token. */
const addresses: Plugin = {
  name: 'doorstep:addresses',
  configureServer(server) {
    server.middlewares.use((request, _response, next) => {
      const path = (request.url ?? '').split('?')[0] ?? ''
      const page = /^\/t\/[^/]+$/.test(path)
        ? 'customer'
        : path === '/dispatch'
          ? 'dispatch'
          : /^\/drive(\/[^/]+)?$/.test(path)
            ? 'drive'
            : null
      if (page) request.url = `/${page}.html`
      next()
    })
  },
}

const precompressed: Plugin = {
  name: 'doorstep:precompressed',
  apply: 'build',
  async closeBundle() {
    await compress(resolve(root, 'dist'))
  },
}

const WEBSOCKET_ONLY: Record<string, string> = {
  'transports/index.js': "import { WS } from './websocket.js'; export const transports = { websocket: WS }",
  'transports/polling-xhr.js': 'export const XHR = undefined',
  'transports/polling-xhr.node.js': 'export const XHR = undefined',
  'transports/polling-fetch.js': 'export const Fetch = undefined',
  'transports/webtransport.js': 'export const WT = undefined',
}
/** Our pages speak WebSocket alone, so the client's other transports stay at home (2 KB). Where its files move, only bytes are lost. */
const websocketOnly: Plugin = {
  name: 'doorstep:websocket-only',
  apply: 'build',
  load(id) {
    const file = /engine\.io-client\/build\/esm\/(.+)$/.exec(id)?.[1]
    return (file && WEBSOCKET_ONLY[file]) || null
  },
}

// The server that `vite dev` asks for tiles, the API and sockets.
const server = process.env.DOORSTEP ?? 'http://127.0.0.1:8080'

export default defineConfig(({ mode }) => ({
  root,
  plugins: [react(), addresses, websocketOnly, ...(mode === 'gallery' ? [] : [precompressed])],
  worker: { format: 'es' },
  server: {
    host: '127.0.0.1',
    port: 5173,
    proxy: {
      '/v1': server,
      '/tiles': server,
      '^/t/[^/]+/state': server,
      '/socket.io': { target: server, ws: true },
    },
  },
  build: {
    target: 'es2022',
    outDir: 'dist',
    manifest: 'manifest.json',
    // Every browser that can draw the map knows modulepreload; the others only load a little later.
    modulePreload: { polyfill: false },
    // A data: URL for a font or an icon would need `data:` in font-src; files are cached better.
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1_600,
    rolldownOptions: {
      input: {
        customer: resolve(root, 'customer.html'),
        dispatch: resolve(root, 'dispatch.html'),
        drive: resolve(root, 'drive.html'),
      },
    },
  },
}))
