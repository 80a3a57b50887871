// The driver's page starts here: the address carries the device token.
import '../../ui/base.css'
import '../../ui/more-icons.ts'
import './drive.css'
import { createRoot } from 'react-dom/client'
import { words } from '../../ui/words-drive.ts'
import { Notice, Page } from './page.tsx'
import { openSession } from './session.ts'

const token = decodeURIComponent(location.pathname.split('/')[2] ?? '')
const root = createRoot(document.getElementById('root')!)
if (token === '') root.render(<Notice icon="link" {...words.noToken} />)
else root.render(<Page session={openSession(token)} />)
