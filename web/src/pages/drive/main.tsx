// The driver's page starts here.
import '../../ui/base.css'
import { createRoot } from 'react-dom/client'

createRoot(document.getElementById('root')!).render(<main className="page-wait">Drive</main>)
