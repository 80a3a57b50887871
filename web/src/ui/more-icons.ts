// Icons that the customer's page has no use for: imported for its effect by the pages that do.
import { addIcons } from './icon.tsx'

const MORE = {
  pin: 'M12 21.5c-4.7-4.7-7-8-7-11a7 7 0 0 1 14 0c0 3-2.3 6.3-7 11zM14.5 10.5a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z',
  plus: 'M12 5v14M5 12h14',
  search: 'M20.5 20.5 16 16M18 11a7 7 0 1 1-14 0 7 7 0 0 1 14 0z',
  phone:
    'M5 3.5h3.5l1.5 5-2.2 1.6a12 12 0 0 0 6.1 6.1l1.6-2.2 5 1.5V19a1.5 1.5 0 0 1-1.6 1.5C11 20 4 13 3.5 5.1A1.5 1.5 0 0 1 5 3.5z',
  user: 'M19.5 20.5a7.5 7.5 0 0 0-15 0M16 8a4 4 0 1 1-8 0 4 4 0 0 1 8 0z',
  bell: 'M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 2h-15zM10 21h4',
  leave: 'M14 4.5H6.5A1.5 1.5 0 0 0 5 6v12a1.5 1.5 0 0 0 1.5 1.5H14M10 12h10M16.5 8.5 20 12l-3.5 3.5',
  fit: 'M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5',
} as const
export type MoreIcon = keyof typeof MORE

addIcons(MORE)
