// The customer's page starts here: the token of the address and the first view out of the HTML in, a page that keeps itself true out.
import '../../ui/base.css'
import './customer.css'
import type { OrderView } from '@doorstep/shared/track'
import { createRoot } from 'react-dom/client'
import { openFeed } from '../../feed/watch-feed.ts'
import { Customer, Gone } from './page.tsx'

/** What the server wrote into the page: a view, that the link is not valid, or nothing. */
function firstState(): OrderView | 'gone' | null {
  try {
    const state: unknown = JSON.parse(document.getElementById('state')?.textContent ?? 'null')
    if (typeof state !== 'object' || state === null) return null
    return 'gone' in state ? 'gone' : 'epoch' in state ? (state as OrderView) : null
  } catch {
    return null
  }
}

const token = /^\/t\/([A-Za-z0-9_-]{22})\/?$/.exec(location.pathname)?.[1]
const first = firstState()
const root = createRoot(document.getElementById('root')!)
root.render(token && first !== 'gone' ? <Customer store={openFeed(token, first)} /> : <Gone />)
