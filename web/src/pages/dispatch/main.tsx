// The dispatcher's page starts here.
import '../../ui/base.css'
import '../../ui/more-icons.ts'
import './dispatch.css'
import { createRoot } from 'react-dom/client'
import { App } from './app.tsx'
import { takeToken } from './session.ts'

createRoot(document.getElementById('root')!).render(<App first={takeToken()} />)
